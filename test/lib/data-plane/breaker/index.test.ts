import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Breaker } from '../../../../lib/data-plane/breaker/index.ts'
import { proxyError, type ErrorName } from '../../../../lib/errors.ts'
import type { Attempt, Endpoint } from '../../../../types/model.ts'
import type { UpstreamEventName } from '../../../../types/policy.ts'
import { clock } from '../../../helpers/clock.ts'
import { attemptOf, exchangeWith } from '../../samples.ts'

function setUp ({ consecutiveFailures = 3, halfOpenAfter = 1000, probes = 1 } = {}) {
  const time = clock()
  const exchange = exchangeWith()
  const { upstream } = exchange
  const events: string[] = []
  upstream.state = { ...upstream.state, observers: [{ onEvent: ({ name }) => { events.push(name) } }] }
  const breaker = new Breaker({ consecutiveFailures, halfOpenAfter, probes }, time.setTimer)
  const endpoint: Endpoint = upstream.state.endpoints[0]!
  const end = (fields: Partial<Attempt>): void => { breaker.onAttempt(attemptOf(exchange, fields)) }
  return {
    time,
    events,
    endpoint,
    hear: (name: UpstreamEventName, about: Endpoint | null = endpoint) => { breaker.onEvent({ name, upstream, endpoint: about, reason: 'x' }) },
    succeed: () => { end({ statusCode: 200, headAt: 1 }) },
    answer: (statusCode: number) => { end({ statusCode, headAt: 1 }) },
    fail: (name: ErrorName = 'connection_refused', fields: Partial<Attempt> = {}) => { end({ error: proxyError(name, 'responseHeaders'), ...fields }) }
  }
}

test('opens after so many failures in a row, and not for as many with a success between', () => {
  const { endpoint, fail, succeed, events } = setUp()
  fail()
  fail()
  succeed()
  fail()
  fail()
  assert.equal(endpoint.breaker, 'closed')
  fail()
  assert.equal(endpoint.breaker, 'open')
  assert.deepEqual(events, ['opened'])
})

test('is tried again after a while, and closes when that goes well', () => {
  const { endpoint, fail, succeed, events, time } = setUp()
  for (let n = 0; n < 3; n++) fail()
  time.advance(999)
  assert.equal(endpoint.breaker, 'open')
  time.advance(1)
  assert.equal(endpoint.breaker, 'half-open')
  succeed()
  assert.deepEqual([endpoint.breaker, endpoint.failures], ['closed', 0])
  assert.deepEqual(events, ['opened', 'half-open', 'closed'])
})

test('opens again with the first probe that fails, and closes only when all have gone well', () => {
  const { endpoint, fail, succeed, time } = setUp({ probes: 2 })
  for (let n = 0; n < 3; n++) fail()
  time.advance(1000)
  succeed()
  assert.equal(endpoint.breaker, 'half-open')
  fail()
  assert.equal(endpoint.breaker, 'open')
  time.advance(1000)
  succeed()
  succeed()
  assert.equal(endpoint.breaker, 'closed')
})

test('what began before it opened does not close it', () => {
  const { endpoint, fail, succeed } = setUp()
  for (let n = 0; n < 3; n++) fail()
  succeed()
  assert.equal(endpoint.breaker, 'open')
})

const failures: ErrorName[] = ['dns_error', 'connection_refused', 'connection_timeout', 'tls_protocol_error', 'connection_terminated', 'http_response_timeout', 'connection_read_timeout',
  'http_response_incomplete', 'http_protocol_error']
const others: ErrorName[] = ['client_closed_request', 'client_body_error', 'client_write_timeout', 'request_timeout', 'upstream_overflow', 'queue_timeout', 'internal_error', 'shutting_down',
  'http_response_header_section_size', 'http_response_body_size']

for (const name of failures) {
  test(`${name} is a failure of the endpoint`, () => {
    const { endpoint, fail } = setUp()
    for (let n = 0; n < 3; n++) fail(name)
    assert.equal(endpoint.breaker, 'open')
  })
}

for (const name of others) {
  test(`${name} is not`, () => {
    const { endpoint, fail } = setUp()
    for (let n = 0; n < 10; n++) fail(name)
    assert.deepEqual([endpoint.breaker, endpoint.failures], ['closed', 0])
  })
}

test('neither is an answer, whatever its status, nor a connection that had been idle for too long', () => {
  const { endpoint, fail, answer } = setUp()
  for (let n = 0; n < 10; n++) {
    answer(503)
    fail('connection_terminated', { reused: true })
  }
  assert.deepEqual([endpoint.breaker, endpoint.failures], ['closed', 0])
})

test('closes when health checks find the endpoint well, and the time that was left then changes nothing', () => {
  const { endpoint, fail, hear, events, time } = setUp()
  for (let n = 0; n < 3; n++) fail()
  time.advance(600)
  hear('healthy')
  assert.deepEqual([endpoint.breaker, endpoint.failures], ['closed', 0])
  for (let n = 0; n < 3; n++) fail()
  time.advance(600)
  assert.equal(endpoint.breaker, 'open')
  time.advance(400)
  assert.equal(endpoint.breaker, 'half-open')
  hear('healthy')
  assert.deepEqual(events, ['opened', 'closed', 'opened', 'half-open', 'closed'])
})

test('lets its probes through when an ejection ends, which says less', () => {
  const { endpoint, fail, succeed, hear, time, events } = setUp()
  hear('returned')
  assert.equal(endpoint.breaker, 'closed')
  for (let n = 0; n < 3; n++) fail()
  hear('returned')
  assert.equal(endpoint.breaker, 'half-open')
  hear('returned')
  fail()
  time.advance(999)
  assert.equal(endpoint.breaker, 'open')
  time.advance(1)
  succeed()
  assert.deepEqual(events, ['opened', 'half-open', 'opened', 'half-open', 'closed'])
})

test('no other change of state is its business', () => {
  const { endpoint, fail, hear } = setUp()
  for (let n = 0; n < 3; n++) fail()
  for (const name of ['ejected', 'unhealthy', 'overflowed'] as const) hear(name)
  hear('exhausted', null)
  assert.equal(endpoint.breaker, 'open')
})
