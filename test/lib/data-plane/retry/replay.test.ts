import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Replay, replayOf } from '../../../../lib/data-plane/retry/replay.ts'
import { exchangeWith } from '../../samples.ts'

test('gives what was sent, piece by piece or byte by byte', () => {
  const replay = new Replay(1000)
  const bytes = Buffer.from(Array.from({ length: 1000 }, (_, index) => index % 256))
  for (const byte of bytes) assert.ok(replay.add(Buffer.from([byte])))
  assert.ok(Buffer.concat(replay.chunks).equals(bytes))
  assert.ok(replay.chunks.length <= 64)
})

test('keeps as much as the limit, and nothing once it is more', () => {
  const replay = new Replay(10)
  assert.ok(replay.add(Buffer.alloc(10)))
  assert.equal(replay.add(Buffer.alloc(1)), false)
  assert.deepEqual(replay.chunks, [])
})

test('is not there for what is never sent again: by its method, its announced length, or the options', () => {
  const route = { replay: 100 }
  assert.notEqual(replayOf(exchangeWith({ route, headers: { 'content-length': '100' } }), true), null)
  assert.notEqual(replayOf(exchangeWith({ route }), true), null)
  assert.equal(replayOf(exchangeWith({ route, headers: { 'content-length': '101' } }), true), null)
  assert.equal(replayOf(exchangeWith({ route }), false), null)
  assert.equal(replayOf(exchangeWith({ route: { replay: 0 } }), true), null)
})
