import assert from 'node:assert/strict'
import test from 'node:test'
import { elapsed, Histogram, quantile } from '../../../../lib/observe/metrics/histogram.ts'

test('a duration counts in the first bucket whose bound it does not exceed', () => {
  const histogram = new Histogram([0.001, 0.01])
  for (const microseconds of [0, 1000, 1001, 10_000, 10_001, 2 ** 31 - 1]) histogram.observe(microseconds)

  assert.deepEqual([...histogram.counts], [2, 2, 2])
  assert.equal(histogram.count, 6)
  assert.ok(Math.abs(histogram.sum - (0.001 + 0.001001 + 0.01 + 0.010001 + 2147.483647)) < 1e-9)
})

test('two of them are one', () => {
  const [one, other] = [new Histogram([0.001, 0.01]), new Histogram([0.001, 0.01])]
  for (const histogram of [one, other, other]) histogram.observe(2000)
  const both = one.plus(other)

  assert.deepEqual([[...both.counts], both.sum, [...both.bounds]], [[0, 3, 0], 0.006, [1000, 10_000]])
  assert.equal(one.count, 1)
})

for (const [from, to, microseconds] of [
  [10, 11.5, 1500], [10, 10, 0], [11, 10, 0], [0, 0.0004, 0], [0, 3_600_000, 2 ** 31 - 1], [0, Infinity, 2 ** 31 - 1], [NaN, 1, 2 ** 31 - 1]
] as const) {
  test(`from ${from} to ${to} ms is ${microseconds} microseconds`, () => { assert.equal(elapsed(from, to), microseconds) })
}

for (const [share, seconds] of [[0.5, 0.005], [0.25, 0.0025], [1, 0.02]] as const) {
  test(`the ${share} quantile is interpolated in its bucket`, () => {
    const bounds = Int32Array.of(10_000, 20_000)
    assert.equal(quantile(share, bounds, Float64Array.of(8, share === 1 ? 2 : 0, 0)), seconds)
  })
}

test('a quantile above all bounds is the last one, and of nothing it is 0', () => {
  assert.equal(quantile(0.9, Int32Array.of(10_000), Float64Array.of(0, 3)), 0.01)
  assert.equal(quantile(0.9, Int32Array.of(10_000), Float64Array.of(0, 0)), 0)
})
