import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasStopped, watchReader } from '../../../lib/data-plane/reader.ts'
import type { ProxyExchange } from '../../../lib/model/exchange.ts'
import { exchangeWith } from '../samples.ts'
import { wheel, type Wheel } from './wheel.ts'

interface Watched {
  readonly time: Wheel
  readonly exchange: ProxyExchange
  /** When the client was given up; 0 until then. */
  readonly stoppedAt: number
  /** How often somebody looked. */
  readonly looks: number
  /** Bytes that the client has not read. */
  unread: number
}

/** A client that is waited for, with so many ms in which it may read nothing. */
function watch (write: number, unread = 1000): Watched {
  const raw = { writableLength: unread }
  const state = { stoppedAt: 0, looks: 0 }
  const timeouts = { head: Infinity, idle: Infinity, total: Infinity, attempt: Infinity, write }
  const exchange = exchangeWith({ route: { timeouts }, reply: { raw } })
  const time = wheel(1003, () => {
    state.looks++
    if (hasStopped(exchange, time.deadlines, time.now)) state.stoppedAt = time.now
  })
  watchReader(exchange, time.deadlines, time.now)
  return {
    time,
    exchange,
    get stoppedAt () { return state.stoppedAt },
    get looks () { return state.looks },
    get unread () { return raw.writableLength },
    set unread (bytes) { raw.writableLength = bytes }
  }
}

for (const write of [100, 1000, 60_000]) {
  test(`gives up a client that reads nothing for ${write} ms`, () => {
    const client = watch(write)
    client.time.pass(write * 2)
    const late = client.stoppedAt - 1003 - write
    // Its silence counts from the first look.
    assert.ok(late >= 0 && late <= 50, `${late} ms late`)
    assert.equal(client.time.deadlines.size, 0)
  })
}

test('waits for a client for as long as it reads now and then', () => {
  const client = watch(1000)
  for (let read = 0; read < 50; read++) {
    client.time.pass(600)
    client.unread -= 10
  }
  assert.equal(client.stoppedAt, 0)
  const lastRead = client.time.now
  client.time.pass(5000)
  // A read is noticed with the next look.
  assert.ok(client.stoppedAt >= lastRead + 1000 && client.stoppedAt <= lastRead + 2100, `${client.stoppedAt - lastRead} ms`)
})

test('takes more that was written to the client for a sign of life as well', () => {
  const client = watch(1000)
  client.time.pass(700)
  client.unread += 500
  client.time.pass(700)
  assert.equal(client.stoppedAt, 0)
})

test('looks ever less often while nothing changes', () => {
  const client = watch(60_000)
  client.time.pass(2000)
  const first = client.looks
  client.time.pass(50_000)
  assert.ok(first >= 6 && first <= 10, `${first} looks in two seconds`)
  assert.ok(client.looks - first <= 51, `${client.looks - first} looks in the next fifty`)
  // And often again once something does.
  client.unread = 1
  const before = client.looks
  while (client.looks === before) client.time.pass(10)
  client.time.pass(320)
  assert.ok(client.looks - before >= 5, `${client.looks - before} looks`)
})

test('waits for ever where that is asked for', () => {
  const client = watch(Infinity)
  client.time.pass(100_000)
  assert.deepEqual([client.stoppedAt, client.looks, client.time.deadlines.size], [0, 0, 0])
})
