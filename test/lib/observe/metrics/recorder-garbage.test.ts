import assert from 'node:assert/strict'
import { PerformanceObserver } from 'node:perf_hooks'
import test from 'node:test'
import { Recorder } from '../../../../lib/observe/metrics/recorder.ts'
import type { Attempt } from '../../../../types/model.ts'
import { attemptOf, exchangeWith } from '../../samples.ts'

/** Bytes that V8 reports as used after each of many recordings of one exchange with one attempt. */
test('recording an exchange and its attempt allocates nothing', async () => {
  const recorder = new Recorder('7')
  const exchange = exchangeWith({ reply: { statusCode: 200 }, startedAt: 1.25 })
  const attempt = attemptOf(exchange, { startedAt: 1.5, sentAt: 1.75, headAt: 2.5, endedAt: 2.75, statusCode: 200, reused: true })
  Object.assign(exchange, { last: attempt as Attempt, attempts: 1, attemptedAt: 1.5, endedAt: 3.125, bytesIn: 10, bytesOut: 20 })
  function record (times: number): void {
    for (let index = 0; index < times; index++) {
      recorder.onAttempt(attempt)
      recorder.onExchange(exchange)
    }
  }
  let collections = 0
  const observer = new PerformanceObserver((list) => { collections += list.getEntries().length })
  observer.observe({ entryTypes: ['gc'] })
  // Until V8 has optimised it, fractions are objects.
  for (let round = 0; round < 50; round++) {
    record(20_000)
    await new Promise(resolve => setImmediate(resolve))
  }

  const times = 200_000
  // A collection within a measurement would hide what it collected: the cleanest of several counts.
  const perRecord: number[] = []
  for (let round = 0; round < 20 && !(perRecord.at(-1)! <= 0.5); round++) {
    await new Promise(resolve => setTimeout(resolve, 5))
    collections = 0
    const before = process.memoryUsage().heapUsed
    record(times)
    const after = process.memoryUsage().heapUsed
    await new Promise(resolve => setTimeout(resolve, 5))
    if (collections === 0) perRecord.push((after - before) / times)
  }
  observer.disconnect()

  assert.ok(perRecord.at(-1)! <= 0.5, `bytes per record: ${perRecord.join(', ')}`)
})
