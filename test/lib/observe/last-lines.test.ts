import assert from 'node:assert/strict'
import { test } from 'node:test'
import { flushAtExit, forget } from '../../../lib/observe/last-lines.ts'

test('one listener stands for all logs, ahead of those that were there, and goes with the last of them', (t) => {
  function earlier (): void {}
  process.on('exit', earlier)
  t.after(() => { process.removeListener('exit', earlier) })
  const before = process.listeners('exit')
  const flushed: number[] = []
  const logs = Array.from({ length: 20 }, (_, index) => ({ flush () { flushed.push(index) } }))

  for (const log of logs) flushAtExit(log)
  const [own, ...rest] = process.listeners('exit')
  assert.deepEqual(rest, before)

  forget(logs[0]!)
  own!(0)
  assert.deepEqual(flushed, logs.slice(1).map((_, index) => index + 1))

  for (const log of logs) forget(log)
  assert.deepEqual(process.listeners('exit'), before)
})
