import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProxyCanary, settleThresholds, sumOfWeights } from '../../../lib/model/canary.ts'
import { upstreamOf } from '../samples.ts'

test('holds what it was given, and has not fallen back yet', () => {
  const settings = {
    name: 'next',
    upstream: upstreamOf('next', []),
    header: 'x-canary',
    cookie: 'canary',
    values: new Set(['beta']),
    sticky: () => 'key',
    onEmpty: 'fail' as const,
    fallback: true,
    weight: 12.5
  }
  assert.deepEqual({ ...new ProxyCanary(settings) }, { ...settings, threshold: 12.5, fallbacks: 0 })
})

function thresholds (...weights: number[]): number[] {
  const upstream = upstreamOf('next', [])
  const rest = { upstream, header: null, cookie: null, values: null, sticky: null, onEmpty: 'stable', fallback: false } as const
  const canaries = weights.map((weight, index) => new ProxyCanary({ ...rest, name: `c${index}`, weight }))
  settleThresholds(canaries)
  return canaries.map(({ threshold }) => threshold)
}

test('a canary draws of what those before it have left', () => {
  assert.deepEqual(thresholds(12.34), [12.34])
  assert.deepEqual(thresholds(20, 40), [20, 50])
  assert.deepEqual(thresholds(0, 50, 0, 25), [0, 50, 0, 50])
})

test('weights that add up to 100 leave nothing, whatever rounding makes of them', () => {
  const whole = [
    [50, 50], [33.33, 33.33, 33.34], [33.3, 33.3, 33.4], [0.1, 0.2, 99.7], [99.99, 0.01], [100, 0],
    [14.28, 14.28, 14.28, 14.28, 14.28, 14.28, 14.32], [100 / 3, 100 / 3, 100 / 3]
  ]
  for (const weights of whole) {
    assert.equal(sumOfWeights(weights.map((weight) => ({ weight }))), 100)
    assert.equal(thresholds(...weights).findLast((threshold) => threshold > 0), 100, weights.join(' + '))
  }
})

test('a hundredth of a per cent is left where the weights leave it', () => {
  assert.ok(thresholds(33.33, 33.33, 33.33).at(-1)! < 99.98)
  assert.ok(thresholds(99.98, 0.01).at(-1)! < 51)
})
