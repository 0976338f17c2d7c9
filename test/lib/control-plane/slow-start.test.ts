import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rampedShare, SlowStart } from '../../../lib/control-plane/slow-start.ts'
import { clock } from '../../helpers/clock.ts'
import { endpointAt } from '../samples.ts'

for (const [elapsed, window, share] of [[0, 30_000, 0.1], [1000, 30_000, 0.1], [6000, 30_000, 0.2], [15_000, 30_000, 0.5], [30_000, 30_000, 1], [60_000, 30_000, 1], [0, 100, 0.1], [50, 100, 0.5]] as const) {
  test(`${elapsed} ms into a slow start of ${window} ms the share is ${share}`, () => {
    assert.equal(rampedShare(elapsed, window), share)
  })
}

test('the weight rises in steps to all of it, and each step is told of', () => {
  const time = clock()
  const weights: number[] = []
  const endpoint = endpointAt('http://a', { weight: 4 })
  const start = new SlowStart(1000, { now: time.now, random: () => 0, setTimer: time.setTimer }, () => weights.push(endpoint.weight))

  start.begin(endpoint)
  assert.equal(endpoint.weight, 0.4)
  time.advance(2000)

  assert.equal(weights.length, 20)
  assert.deepEqual([...weights].sort((a, b) => a - b), weights)
  assert.equal(endpoint.weight, 4)
  assert.equal(time.pending, 0, 'nothing ticks on')
})

test('without a window the weight is all of it at once', () => {
  const time = clock()
  const endpoint = endpointAt('http://a')
  new SlowStart(0, { now: time.now, random: () => 0, setTimer: time.setTimer }, () => assert.fail('nothing changes')).begin(endpoint)
  assert.deepEqual([endpoint.weight, time.pending], [1, 0])
})

test('weight 0 stays 0, and nothing ticks for it', () => {
  const time = clock()
  const endpoint = endpointAt('http://a', { weight: 0 })
  new SlowStart(1000, { now: time.now, random: () => 0, setTimer: time.setTimer }, () => assert.fail('nothing changes')).begin(endpoint)
  assert.deepEqual([endpoint.weight, time.pending], [0, 0])
})

test('once closed no step is made', () => {
  const time = clock()
  const start = new SlowStart(1000, { now: time.now, random: () => 0, setTimer: time.setTimer }, () => assert.fail('closed'))
  start.begin(endpointAt('http://a'))
  start.close()
  time.advance(2000)
})
