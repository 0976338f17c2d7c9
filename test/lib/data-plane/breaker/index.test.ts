import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Breaker, type BreakerConfig } from '../../../../lib/data-plane/breaker/index.ts'
import { proxyError, type ErrorName } from '../../../../lib/errors.ts'
import type { Attempt, Endpoint, Phase } from '../../../../types/model.ts'
import type { UpstreamEventName } from '../../../../types/policy.ts'
import { clock } from '../../../helpers/clock.ts'
import { attemptOf, endpointAt, exchangeWith } from '../../samples.ts'

/** The breaker of one endpoint beside another, or of the last that is available. */
function setUp ({ isLast = false, ...config }: Partial<BreakerConfig> & { isLast?: boolean } = {}) {
  const time = clock(1000)
  const exchange = exchangeWith()
  const { upstream } = exchange
  const events: string[] = []
  const endpoint: Endpoint = upstream.state.endpoints[0]!
  const endpoints = isLast ? [endpoint] : [endpoint, endpointAt('http://10.0.0.2:3000')]
  upstream.state = { ...upstream.state, endpoints, available: endpoints, observers: [{ onEvent: ({ name }) => { events.push(name) } }] }
  const breaker = new Breaker({ consecutiveFailures: 3, halfOpenAfter: 1000, probes: 1, ...config }, time.now, time.setTimer)
  /** An attempt that begins now. */
  const begin = (fields: Partial<Attempt> = {}): Attempt => attemptOf(exchange, { startedAt: time.now(), isProbe: endpoint.breaker === 'half-open', ...fields })
  const end = (attempt: Attempt, fields: Partial<Attempt>): void => { breaker.onAttempt({ ...attempt, ...fields }) }
  const failure = (name: ErrorName, phase: Phase = name === 'connection_refused' ? 'connect' : 'responseHeaders'): Partial<Attempt> => {
    return { error: proxyError(name, phase), sentAt: phase === 'connect' ? 0 : time.now(), endedAt: time.now() }
  }
  const head = (attempt: Attempt): void => {
    if (attempt.isProbe) breaker.onProbeAnswered(attempt)
  }
  return {
    time,
    events,
    endpoint,
    breaker,
    upstream,
    begin,
    end,
    head,
    failure,
    hear: (name: UpstreamEventName, about: Endpoint | null = endpoint) => { breaker.onEvent({ name, upstream, endpoint: about, reason: 'x' }) },
    check: (hasPassed: boolean, startedAt = time.now()) => { breaker.onHealthCheck(upstream, endpoint, hasPassed, startedAt) },
    answer: (statusCode = 200) => {
      const attempt = begin()
      head(attempt)
      end(attempt, { statusCode, headAt: 1, isJudged: attempt.isProbe })
    },
    fail: (name: ErrorName = 'connection_refused', fields: Partial<Attempt> = {}) => { end(begin(), { ...failure(name), ...fields }) }
  }
}

test('opens after so many failures in a row, and not for as many with a success between', () => {
  const { endpoint, fail, answer, events } = setUp()
  fail()
  fail()
  answer()
  fail()
  fail()
  assert.equal(endpoint.breaker, 'closed')
  fail()
  assert.equal(endpoint.breaker, 'open')
  assert.deepEqual(events, ['opened'])
})

test('is tried again after a while, and closes when that goes well', () => {
  const { endpoint, fail, answer, events, time } = setUp()
  for (let n = 0; n < 3; n++) fail()
  time.advance(999)
  assert.equal(endpoint.breaker, 'open')
  time.advance(1)
  assert.equal(endpoint.breaker, 'half-open')
  answer()
  assert.deepEqual([endpoint.breaker, endpoint.failures], ['closed', 0])
  assert.deepEqual(events, ['opened', 'half-open', 'closed'])
})

test('opens again with the first probe that fails, and closes only when all have gone well', () => {
  const { endpoint, fail, answer, time } = setUp({ probes: 2 })
  for (let n = 0; n < 3; n++) fail()
  time.advance(1000)
  answer()
  assert.equal(endpoint.breaker, 'half-open')
  fail()
  assert.equal(endpoint.breaker, 'open')
  time.advance(1000)
  answer()
  answer()
  assert.equal(endpoint.breaker, 'closed')
})

test('judges a probe by the head of its answer, and never again', () => {
  const { endpoint, fail, begin, head, end, failure, time } = setUp()
  for (let n = 0; n < 3; n++) fail()
  time.advance(1000)
  const stream = begin()
  time.advance(10)
  head(stream)
  assert.equal(endpoint.breaker, 'closed')
  time.advance(60_000)
  for (let n = 0; n < 3; n++) end(stream, { ...failure('http_response_incomplete'), headAt: 1010, isJudged: true })
  assert.deepEqual([endpoint.breaker, endpoint.failures], ['closed', 0])
})

test('an attempt speaks of the state in which it began', () => {
  const { endpoint, fail, begin, end, failure, answer, time, events } = setUp()
  const before = begin()
  time.advance(1)
  for (let n = 0; n < 3; n++) fail()
  time.advance(1)
  end(before, { statusCode: 200, headAt: 1 })
  end(before, failure('connection_refused'))
  assert.equal(endpoint.breaker, 'open', 'neither closed nor anything else')
  time.advance(1000)
  end(before, failure('connection_terminated'))
  end(before, { statusCode: 200, headAt: 1 })
  assert.equal(endpoint.breaker, 'half-open', 'neither opened nor closed')
  const lateProbe = begin()
  time.advance(1)
  answer()
  time.advance(1)
  for (let n = 0; n < 5; n++) {
    end(before, failure('connection_refused'))
    end(lateProbe, failure('connection_refused'))
  }
  assert.deepEqual([endpoint.breaker, endpoint.failures], ['closed', 0], 'nothing counted')
  assert.deepEqual(events, ['opened', 'half-open', 'closed'])
})

test('a probe of the half-open time before this one decides nothing', () => {
  const { endpoint, fail, begin, head, end, failure, time } = setUp()
  for (let n = 0; n < 3; n++) fail()
  time.advance(1000)
  const [slow, second] = [begin(), begin()]
  time.advance(1)
  end(second, failure('connection_refused'))
  assert.equal(endpoint.breaker, 'open')
  head(slow)
  time.advance(1000)
  assert.equal(endpoint.breaker, 'half-open')
  head(slow)
  end(slow, failure('connection_refused'))
  assert.equal(endpoint.breaker, 'half-open')
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
  test(`${name} is not, and leaves a half-open breaker as it is`, () => {
    const { endpoint, fail, time } = setUp()
    for (let n = 0; n < 10; n++) fail(name)
    assert.deepEqual([endpoint.breaker, endpoint.failures], ['closed', 0])
    for (let n = 0; n < 3; n++) fail()
    time.advance(1000)
    fail(name)
    assert.equal(endpoint.breaker, 'half-open')
  })
}

test('neither is an answer, whatever its status, nor a connection that had been idle for too long', () => {
  const { endpoint, fail, answer } = setUp()
  for (let n = 0; n < 10; n++) {
    answer(503)
    fail('connection_terminated', { reused: true, idleTime: 3000 })
  }
  assert.deepEqual([endpoint.breaker, endpoint.failures], ['closed', 0])
  for (let n = 0; n < 3; n++) fail('connection_terminated', { reused: true, idleTime: 20 })
  assert.equal(endpoint.breaker, 'open', 'one that carried a request just before is no such connection')
})

// What one request can provoke, and what none can.
const provoked: [ErrorName, Phase][] = [
  ['connection_terminated', 'responseHeaders'], ['connection_terminated', 'requestBody'], ['http_response_timeout', 'responseHeaders'], ['http_protocol_error', 'responseHeaders'],
  ['http_response_incomplete', 'responseBody'], ['connection_read_timeout', 'responseBody'], ['request_refused', 'connect']
]
const refusals: [ErrorName, Phase][] = [
  ['connection_refused', 'connect'], ['connection_timeout', 'connect'], ['dns_error', 'connect'], ['tls_certificate_error', 'connect'], ['tls_protocol_error', 'connect'],
  ['destination_ip_unroutable', 'connect'], ['http_response_timeout', 'connect']
]

for (const [isCounted, list] of [[false, provoked], [true, refusals]] as const) {
  for (const [name, phase] of list) {
    test(`${name} (${phase}) ${isCounted ? 'opens' : 'does not open'} the breaker of the last endpoint that is available, unless \`counts\` says otherwise`, () => {
      const opens = (config: Parameters<typeof setUp>[0]): boolean => {
        const { endpoint, begin, end, failure } = setUp(config)
        for (let n = 0; n < 3; n++) end(begin(), failure(name, phase))
        return endpoint.breaker === 'open'
      }
      assert.equal(opens({ isLast: true }), isCounted)
      assert.equal(opens({ isLast: true, counts: 'all' }), true)
      assert.equal(opens({ isLast: false }), true)
      assert.equal(opens({ isLast: false, counts: 'connect' }), isCounted)
    })
  }
}

test('an endpoint beside half-open ones is the last: what one request can provoke does not open its breaker', () => {
  const { endpoint, fail, upstream } = setUp()
  const other = upstream.state.endpoints[1]!
  other.breaker = 'half-open'
  for (let n = 0; n < 10; n++) fail('connection_terminated')
  assert.equal(endpoint.breaker, 'closed')
  other.breaker = 'closed'
  for (let n = 0; n < 3; n++) fail('connection_terminated')
  assert.equal(endpoint.breaker, 'open')
})

test('what was provoked while an endpoint was the last is not held against it when it is not', () => {
  const { endpoint, fail, upstream } = setUp({ isLast: true })
  for (let n = 0; n < 100; n++) fail('connection_terminated')
  upstream.state = { ...upstream.state, available: [endpoint, endpointAt('http://10.0.0.2:3000')] }
  fail('connection_terminated')
  fail('connection_terminated')
  assert.equal(endpoint.breaker, 'closed')
  fail('connection_terminated')
  assert.equal(endpoint.breaker, 'open')
})

test('a connection that stood ends a row of refusals', () => {
  const { endpoint, fail } = setUp({ isLast: true })
  fail()
  fail()
  fail('connection_terminated')
  fail()
  fail()
  fail('connection_terminated', { reused: true, idleTime: 20 })
  assert.deepEqual([endpoint.breaker, endpoint.refusals], ['closed', 2])
  fail()
  assert.equal(endpoint.breaker, 'open')
})

test('a probe of the last endpoint that could be connected to closes the breaker, whatever it provoked then', () => {
  const { endpoint, fail, time, events } = setUp({ isLast: true })
  for (let n = 0; n < 3; n++) fail()
  time.advance(1000)
  fail('connection_terminated')
  assert.equal(endpoint.breaker, 'closed')
  for (let n = 0; n < 3; n++) fail()
  time.advance(1000)
  fail()
  assert.deepEqual(events, ['opened', 'half-open', 'closed', 'opened', 'half-open', 'opened'])
})

test('a health check that passes closes it in any state, and the time that was left then changes nothing', () => {
  const { endpoint, fail, check, events, time } = setUp()
  check(true)
  for (let n = 0; n < 3; n++) fail()
  check(false)
  time.advance(600)
  check(true)
  assert.deepEqual([endpoint.breaker, endpoint.failures], ['closed', 0])
  for (let n = 0; n < 3; n++) fail()
  time.advance(600)
  assert.equal(endpoint.breaker, 'open')
  time.advance(400)
  assert.equal(endpoint.breaker, 'half-open')
  check(true)
  assert.deepEqual(events, ['opened', 'closed', 'opened', 'half-open', 'closed'])
})

test('a health check that began before it opened does not close it', () => {
  const { endpoint, fail, check, time } = setUp()
  const startedAt = time.now()
  time.advance(1)
  for (let n = 0; n < 3; n++) fail()
  check(true, startedAt)
  assert.equal(endpoint.breaker, 'open')
})

test('lets its probes through when an ejection ends, which says less', () => {
  const { endpoint, fail, answer, hear, time, events } = setUp()
  hear('returned')
  assert.equal(endpoint.breaker, 'closed')
  for (let n = 0; n < 3; n++) fail()
  hear('returned')
  assert.equal(endpoint.breaker, 'half-open')
  hear('returned')
  time.advance(1)
  fail()
  time.advance(999)
  assert.equal(endpoint.breaker, 'open', 'the timer of the opening before has run out')
  time.advance(1)
  answer()
  assert.deepEqual(events, ['opened', 'half-open', 'opened', 'half-open', 'closed'])
})

test('no other change of state is its business', () => {
  const { endpoint, fail, hear } = setUp()
  for (let n = 0; n < 3; n++) fail()
  for (const name of ['ejected', 'unhealthy', 'healthy', 'overflowed'] as const) hear(name)
  hear('exhausted', null)
  hear('returned', null)
  assert.equal(endpoint.breaker, 'open')
})
