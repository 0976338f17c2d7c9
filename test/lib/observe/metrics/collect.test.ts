import assert from 'node:assert/strict'
import test from 'node:test'
import { collect } from '../../../../lib/observe/metrics/collect.ts'
import { requests } from '../../../../lib/observe/metrics/catalog.ts'
import { Recorder } from '../../../../lib/observe/metrics/recorder.ts'
import { endpointAt, upstreamOf } from '../../samples.ts'

/** Blocks, as a slow reader would. */
function spend (milliseconds: number): void {
  const until = performance.now() + milliseconds
  while (performance.now() < until);
}

test('the event loop turns between slices, however many read at once', async () => {
  const recorder = new Recorder('7')
  recorder.onUpstream(upstreamOf('a', Array.from({ length: 64 }, (_, index) => endpointAt(`http://10.0.0.1:${index + 1}`))))
  let turns = 0
  let isOver = false
  function turn (): void {
    turns++
    if (!isOver) setImmediate(turn)
  }
  setImmediate(turn)
  let samples = 0
  await Promise.all([1, 2, 3].map(() => collect(recorder, { begin () {}, sample () { samples++; spend(0.2) } })))
  isOver = true

  assert.ok(samples > 1000)
  // 0.2 ms for each sample, and no more than about 4 ms of them in a turn.
  assert.ok(turns >= samples * 0.2 / 6, `${turns} turns for ${samples} samples`)
})

test('one metric alone, where only that is asked for', async () => {
  const begun: string[] = []
  await collect(new Recorder('7'), { begin: ({ name }) => { begun.push(name) }, sample () {} }, requests)

  assert.deepEqual(begun, ['sluice_requests_total'])
})

test('what a visitor throws is its reader\'s', async () => {
  await assert.rejects(collect(new Recorder('7'), { begin () { throw new Error('mine') }, sample () {} }), { message: 'mine' })
})
