import assert from 'node:assert/strict'
import { test } from 'node:test'
import { proxyError } from '../../../lib/errors.ts'
import type { ProxyExchange } from '../../../lib/model/exchange.ts'
import { Spells } from '../../../lib/observe/pauses.ts'
import { Slowest } from '../../../lib/observe/slowest.ts'
import { attemptOf, exchangeWith, type ExchangeFields } from '../samples.ts'

const epoch = 1_700_000_000_000

/** One that took so long, all of it before its first byte. */
function exchange (startedAt: number, total: number, id: string = '/*', fields: ExchangeFields = {}): ProxyExchange {
  const made = exchangeWith({ reply: { statusCode: 200 }, startedAt, url: '/a?token=1', id: `req-${startedAt}`, route: { id }, ...fields })
  Object.assign(made, { attempts: 1, attemptedAt: startedAt, endedAt: startedAt + total })
  made.last = attemptOf(made, { startedAt, sentAt: startedAt, headAt: startedAt + total, endedAt: startedAt + total, reused: true })
  return made
}

test('says of a slow exchange which it was, what took how long, and what the longest was', () => {
  const slowest = new Slowest(epoch)
  slowest.onExchange(exchange(1000, 70))
  assert.deepEqual(slowest.list(), [{
    at: epoch + 1000,
    requestId: 'req-1000',
    traceId: null,
    route: '/*',
    upstream: 'orders',
    endpoint: 'http://10.0.0.1:3000',
    variant: 'stable',
    method: 'GET',
    path: '/a',
    status: 200,
    error: '',
    attempts: 1,
    reusedSocket: true,
    total: 70,
    stages: { select: 0, queue: 0, retry: 0, connect: 0, request: 0, firstByte: 70, body: 0, write: 0 },
    stage: 'firstByte',
    collecting: 0,
    stalled: 0,
    pause: null
  }])
})

test('keeps the ten slowest of a route, slowest first, whatever their order', () => {
  const slowest = new Slowest(epoch)
  for (let index = 0; index < 100; index++) slowest.onExchange(exchange(1000 + index, (index * 37) % 100))
  assert.deepEqual(slowest.list().map(({ total }) => total), [99, 98, 97, 96, 95, 94, 93, 92, 91, 90])
})

test('what was slow at the start does not hide what is slow now', () => {
  const slowest = new Slowest(epoch)
  for (let index = 0; index < 100; index++) slowest.onExchange(exchange(1000, 500 + index))
  // Once a second, among many that are not.
  for (let ms = 4000; ms < 10_000; ms += 10) slowest.onExchange(exchange(ms, ms % 1000 === 0 ? 20 : 1))
  assert.deepEqual(slowest.list({ count: 16 }).map(({ total }) => total), [599, 598, 597, 596, 595, 594, 593, 592, 591, 590, 20, 20, 20, 20, 20, 20])
})

test('a route that is slow by nature does not push out another', () => {
  const slowest = new Slowest(epoch)
  for (let index = 0; index < 100; index++) {
    slowest.onExchange(exchange(1000 + index, 5000, '/reports'))
    slowest.onExchange(exchange(1000 + index, index === 50 ? 20 : 1, '/fast'))
  }
  assert.equal(slowest.list({ route: '/fast' })[0]!.total, 20)
  assert.deepEqual(slowest.list({ route: '/fast', count: 1 }).length, 1)
})

test('can be narrowed', () => {
  const slowest = new Slowest(epoch)
  slowest.onExchange(exchange(1000, 70))
  for (const [filter, count] of [[{ upstream: 'orders' }, 1], [{ upstream: 'x' }, 0], [{ variant: 'stable' }, 1], [{ variant: 'x' }, 0], [{ stage: 'firstByte' }, 1], [{ stage: 'write' }, 0], [{ pause: null }, 1], [{ pause: 'gc' }, 0]] as const) {
    assert.equal(slowest.list(filter).length, count, JSON.stringify(filter))
  }
})

test('remembers five minutes and the five before, and begins anew after a silence', () => {
  const slowest = new Slowest(epoch)
  const minute = 60_000
  slowest.onExchange(exchange(1000, 500))
  slowest.onExchange(exchange(1000 + 6 * minute, 100))
  assert.deepEqual(slowest.list().map(({ total }) => total), [500, 100])
  slowest.onExchange(exchange(1000 + 12 * minute, 50))
  assert.deepEqual(slowest.list().map(({ total }) => total), [100, 50])
  slowest.onExchange(exchange(1000 + 60 * minute, 10))
  assert.deepEqual(slowest.list().map(({ total }) => total), [10])
})

test('more routes than it keeps apart share what is left', () => {
  const slowest = new Slowest(epoch)
  for (let index = 0; index < 300; index++) slowest.onExchange(exchange(1000, index + 1, `/${index}`))
  assert.equal(slowest.list({ count: Infinity }).length, 200 + 10)
})

test('event streams and tunnels are long, not slow', () => {
  const slowest = new Slowest(epoch)
  const stream = exchange(1000, 50_000)
  stream.isEventStream = true
  slowest.onExchange(stream)
  slowest.onExchange(exchange(1000, 50_000, '/*', { reply: { statusCode: 101 } }))
  assert.deepEqual(slowest.list(), [])
})

test('one that failed, or whose client left, says so', () => {
  const slowest = new Slowest(epoch)
  const left = exchange(1000, 70)
  left.error = proxyError('client_closed_request', 'responseBody')
  left.isAborted = true
  left.last = null
  slowest.onExchange(left)
  const [{ status, error, endpoint, reusedSocket } = assert.fail()] = slowest.list()
  assert.deepEqual([status, error, endpoint, reusedSocket], [499, 'client_closed_request', null, false])
})

const pauses = [
  ['collections', 40, 0, 'gc'],
  ['a stalled loop', 0, 40, 'event-loop'],
  ['both, the collection being part of the stall', 40, 45, 'gc'],
  ['neither for long', 10, 20, null]
] as const

for (const [what, collecting, stalled, pause] of pauses) {
  test(`tells whether the process was the cause: ${what}`, () => {
    const slowest = new Slowest(epoch)
    slowest.pauses = { collections: new Spells(), stalls: new Spells() }
    slowest.onExchange(exchange(1000, 70))
    // As they come: behind the exchange.
    slowest.pauses.collections.add(1010, 1010 + collecting)
    slowest.pauses.stalls.add(1010, 1010 + stalled)
    slowest.settle(1100)
    slowest.settle(1200)
    slowest.settle(1300)
    const [entry] = slowest.list()
    assert.deepEqual([entry!.collecting, entry!.stalled, entry!.pause], [collecting, stalled, pause])
  })
}

test('what was settled once stays, however much happens later', () => {
  const slowest = new Slowest(epoch)
  slowest.pauses = { collections: new Spells(), stalls: new Spells() }
  const startedAt = performance.now() - 1000
  slowest.onExchange(exchange(startedAt, 70))
  slowest.pauses.collections.add(startedAt, startedAt + 60)
  slowest.settle(performance.now())
  for (let index = 0; index < 2000; index++) slowest.pauses.collections.add(0, 1)
  assert.equal(slowest.list()[0]!.pause, 'gc')
})
