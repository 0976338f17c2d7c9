import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProxyCanary } from '../../../lib/model/canary.ts'
import { attemptOf, endpointAt, exchangeWith, upstreamOf } from '../samples.ts'

test('begins on the stable side, with the upstream of its route, untried', () => {
  const exchange = exchangeWith({ method: 'PUT', startedAt: 17 })
  assert.equal(exchange.variant, 'stable')
  assert.equal(exchange.upstream, exchange.route.upstream)
  assert.deepEqual([exchange.method, exchange.startedAt, exchange.attempts, exchange.endpoint, exchange.error], ['PUT', 17, 0, null, null])
})

test('goes by the name of the canary once one is chosen', () => {
  const exchange = exchangeWith()
  exchange.canary = new ProxyCanary({
    name: 'next', upstream: upstreamOf('orders-next', []), header: null, cookie: null, values: null, sticky: null, onEmpty: 'stable', fallback: false, weight: 5
  })
  assert.equal(exchange.variant, 'next')
})

test('shows the ids of its trace, and null where there is none', () => {
  const exchange = exchangeWith()
  assert.deepEqual([exchange.traceId, exchange.spanId], [null, null])
  exchange.trace = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), flags: '01', state: null }
  assert.deepEqual([exchange.traceId, exchange.spanId], ['a'.repeat(32), 'b'.repeat(16)])
})

test('shows the endpoint of the last attempt', () => {
  const exchange = exchangeWith()
  const second = endpointAt('http://10.0.0.2:3000')
  exchange.last = attemptOf(exchange)
  exchange.last = attemptOf(exchange, { number: 2, endpoint: second })
  assert.equal(exchange.endpoint, second)
})

test('has no deadline and is filed nowhere until it is given one', () => {
  const { totalDue, attemptDue, phaseDue, slot } = exchangeWith()
  assert.deepEqual([totalDue, attemptDue, phaseDue, slot], [Infinity, Infinity, Infinity, -1])
})

test('has nothing behind it', () => {
  const exchange = exchangeWith()
  const flags = ['hasOwnLength', 'isJson', 'hostFollowsEndpoint', 'isSuperseded', 'isProxied', 'isAborted', 'isEventStream', 'isTraceRestarted'] as const
  for (const flag of flags) assert.equal(exchange[flag], false, flag)
  // Nothing of the body has been read, so it could be sent again.
  assert.equal(exchange.isReplayable, true)
  assert.deepEqual([exchange.endedAt, exchange.bytesIn, exchange.bytesOut, exchange.phase], [0, 0, 0, 'select'])
})

test('has all its fields from the start, so that every exchange has one shape', () => {
  const exchange = exchangeWith()
  const fields = Object.keys(exchange)
  Object.assign(exchange, { path: '/', isAborted: true, endedAt: 1, bytesOut: 1, isEventStream: true, override: null, behind: exchange })
  exchange.trace = { traceId: 'a', spanId: 'b', flags: '01', state: null }
  assert.deepEqual(Object.keys(exchange), fields)
  assert.equal(fields.every((field) => exchange[field as keyof typeof exchange] !== undefined), true)
})
