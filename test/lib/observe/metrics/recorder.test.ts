import assert from 'node:assert/strict'
import test from 'node:test'
import type { Attempt, Canary, Route, Upstream } from '../../../../types/model.ts'
import type { UpstreamEventName } from '../../../../types/policy.ts'
import { proxyError } from '../../../../lib/errors.ts'
import { ProxyCanary } from '../../../../lib/model/canary.ts'
import { openFlow } from '../../../../lib/model/flow.ts'
import { ProxySnapshot } from '../../../../lib/model/snapshot.ts'
import { printed, textOf } from '../../../../lib/observe/metrics/prometheus.ts'
import { Recorder } from '../../../../lib/observe/metrics/recorder.ts'
import { Scrape } from '../../../helpers/metrics.ts'
import { attemptOf, endpointAt, exchangeWith, routeTo, upstreamOf } from '../../samples.ts'

async function read (recorder: Recorder): Promise<Scrape> {
  return new Scrape(await textOf(await printed(recorder)))
}

function canaryTo (upstream: Upstream, name: string): Canary {
  return new ProxyCanary({ name, upstream, header: null, cookie: null, values: null, sticky: null, onEmpty: 'stable', fallback: true, weight: 5 })
}

interface Fields {
  route: Route
  canary?: Canary
  upstream?: Upstream
  statusCode?: number
  method?: string
  [field: string]: unknown
}

/** An exchange that is over. */
function exchangeOf ({ route, statusCode = 200, method = 'GET', ...fields }: Fields): ReturnType<typeof exchangeWith> {
  const exchange = exchangeWith({ route, reply: { statusCode }, method })
  return Object.assign(exchange, { route, upstream: (fields.canary ?? route).upstream, endedAt: 1, ...fields })
}

test('everything configured has its series before it counts', async () => {
  const [stable, next] = [upstreamOf('stable', []), upstreamOf('next', [])]
  const canary = canaryTo(next, 'beta')
  const route = routeTo(stable, { id: '/a', canaries: [canary] })
  const recorder = new Recorder('7')
  recorder.prepare(new ProxySnapshot(3, new Map(), new Map([['/a', route]])), 1234)
  const scrape = await read(recorder)

  assert.equal(scrape.value('sluice_slow_requests_total{route="/a",upstream="next",variant="beta"}'), 0)
  assert.equal(scrape.value('sluice_canary_requests_total{route="/a",variant="beta",reason="weight"}'), 0)
  assert.equal(scrape.value('sluice_canary_fallbacks_total{route="/a",variant="beta"}'), 0)
  assert.equal(scrape.value('sluice_config_info{version="3"}'), 1)
  assert.equal(scrape.value('sluice_config_last_reload_success_timestamp_seconds'), 1234)
  // No endpoint, no connection.
  assert.equal(scrape.value('sluice_upstream_pool_saturation_ratio{upstream="stable"}'), 1)
})

test('a retry that left the canary counts for where it went', async () => {
  const [stable, next] = [upstreamOf('stable', []), upstreamOf('next', [])]
  const canary = canaryTo(next, 'beta')
  const route = routeTo(stable, { id: '/a', canaries: [canary] })
  const recorder = new Recorder('7')
  recorder.onExchange(exchangeOf({ route, canary, variantReason: 'weight' }))
  recorder.onExchange(exchangeOf({ route, canary, variantReason: 'weight', upstream: stable }))

  assert.deepEqual((await read(recorder)).of('sluice_requests_total'), {
    '{route="/a",upstream="next",variant="beta",method="GET",code="200",error=""}': 1,
    '{route="/a",upstream="stable",variant="beta",method="GET",code="200",error=""}': 1
  })
  assert.deepEqual((await read(recorder)).of('sluice_canary_requests_total'), { '{route="/a",variant="beta",reason="weight"}': 2 })
})

test('statuses that an upstream makes up end as other', async () => {
  const route = routeTo(upstreamOf('a', []), { id: '/a' })
  const recorder = new Recorder('7')
  for (let statusCode = 100; statusCode < 1000; statusCode++) recorder.onExchange(exchangeOf({ route, statusCode }))
  recorder.onExchange(exchangeOf({ route, statusCode: 1000 }))
  const scrape = await read(recorder)
  const requests = scrape.of('sluice_requests_total')

  assert.equal(Object.keys(requests).length, 513)
  assert.equal(requests['{route="/a",upstream="a",variant="stable",method="other",code="other",error="other"}'], 901 - 512)
  assert.equal(scrape.sum('sluice_requests_total'), 901)
  assert.equal(scrape.sum('sluice_request_duration_seconds_count'), 901)
})

test('a status that is none is other by itself', async () => {
  const recorder = new Recorder('7')
  recorder.onExchange(exchangeOf({ route: routeTo(upstreamOf('a', [])), statusCode: 7, method: 'NONSENSE' }))

  assert.deepEqual(Object.keys((await read(recorder)).of('sluice_requests_total')), ['{route="/*",upstream="a",variant="stable",method="other",code="other",error=""}'])
})

test('routes and endpoints beyond the bound share one', async () => {
  const recorder = new Recorder('7')
  const upstream = upstreamOf('a', [])
  for (let number = 0; number < 20_010; number++) recorder.onExchange(exchangeOf({ route: routeTo(upstream, { id: `/r${number}` }) }))
  const exchange = exchangeWith()
  for (let number = 0; number < 20_010; number++) recorder.onAttempt(attemptOf(exchange, { endpoint: endpointAt(`http://10.0.0.1:${number + 1}`), statusCode: 200 }))

  assert.equal(recorder.routes.size, 20_001)
  assert.equal(recorder.routes.get('other')!.overhead.count, 10)
  const { endpoints } = recorder.upstreams.get('orders')!
  assert.equal(endpoints.size, 20_001)
  assert.ok(endpoints.has('other'))
})

test('time in an exchange that is neither attempt nor queue is overhead', async () => {
  const route = routeTo(upstreamOf('a', []), { id: '/a' })
  const recorder = new Recorder('7')
  const exchange = exchangeOf({ route, startedAt: 0, queueTime: 5, attemptedAt: 7, endedAt: 31 })
  Object.assign(exchange, { last: attemptOf(exchange, { startedAt: 7, endedAt: 30 }) })
  recorder.onExchange(exchange)
  // Refused by ourselves after it waited: all of it but the wait.
  recorder.onExchange(exchangeOf({ route, startedAt: 0, queueTime: 10, endedAt: 12, error: proxyError('queue_timeout', 'select'), statusCode: 503 }))
  const scrape = await read(recorder)

  assert.equal(scrape.value('sluice_overhead_duration_seconds_sum{route="/a"}'), 0.005)
  assert.equal(scrape.value('sluice_upstream_queue_duration_seconds_sum{upstream="a"}'), 0.01)
})

test('the wait of an attempt is that in the queue and for a connection, not for one to be made', async () => {
  const recorder = new Recorder('7')
  const exchange = Object.assign(exchangeWith(), { queueTime: 4 })
  const first = attemptOf(exchange, { startedAt: 10, connectTime: 3, sentAt: 15, endedAt: 20 })
  recorder.onAttempt(first)
  // The queue has been waited in once.
  recorder.onAttempt(attemptOf(exchange, { number: 2, previous: first, startedAt: 20, sentAt: 21, endedAt: 30 }))
  const scrape = await read(recorder)

  assert.equal(scrape.value('sluice_upstream_queue_duration_seconds_sum{upstream="orders"}'), 0.007)
  assert.equal(scrape.value('sluice_upstream_queue_duration_seconds_count{upstream="orders"}'), 2)
})

const retried: [promise: string, previous: Partial<Attempt>, attempt: Partial<Attempt>, labels: string][] = [
  ['a failure that another endpoint made good', { error: proxyError('connection_refused', 'connect') }, { statusCode: 200 }, 'reason="connection_refused",result="success"'],
  ['a status', { statusCode: 503 }, { statusCode: 503 }, 'reason="5xx",result="failure"'],
  ['a failure after a failure', { error: proxyError('http_response_timeout', 'responseHeaders') }, { error: proxyError('connection_refused', 'connect') }, 'reason="http_response_timeout",result="failure"']
]
for (const [promise, previous, attempt, labels] of retried) {
  test(`a retry is counted by why and how: ${promise}`, async () => {
    const recorder = new Recorder('7')
    const exchange = exchangeWith()
    recorder.onAttempt(attemptOf(exchange, { ...attempt, number: 2, previous: attemptOf(exchange, previous) }))

    assert.deepEqual((await read(recorder)).of('sluice_upstream_retries_total'), { [`{upstream="orders",${labels}}`]: 1 })
  })
}

const events: [name: UpstreamEventName, reason: string, metric: string, labels: string][] = [
  ['ejected', 'consecutive-failures', 'sluice_outlier_ejections_total', '{upstream="a",reason="consecutive-failures"}'],
  ['opened', 'x', 'sluice_circuit_breaker_transitions_total', '{upstream="a",to="open"}'],
  ['half-open', 'x', 'sluice_circuit_breaker_transitions_total', '{upstream="a",to="half-open"}'],
  ['closed', 'x', 'sluice_circuit_breaker_transitions_total', '{upstream="a",to="closed"}'],
  ['exhausted', 'connection_refused', 'sluice_upstream_retries_total', '{upstream="a",reason="connection_refused",result="budget_exhausted"}'],
  ['exhausted', 'reset', 'sluice_upstream_retries_total', '{upstream="a",reason="reset",result="budget_exhausted"}'],
  ['exhausted', 'something else', 'sluice_upstream_retries_total', '{upstream="a",reason="other",result="budget_exhausted"}']
]
for (const [name, reason, metric, labels] of events) {
  test(`${name} (${reason}) is counted`, async () => {
    const recorder = new Recorder('7')
    const upstream = upstreamOf('a', [endpointAt('http://10.0.0.1:3000')])
    recorder.onEvent({ name, upstream, endpoint: upstream.state.endpoints[0]!, reason })

    assert.deepEqual((await read(recorder)).of(metric), { [labels]: 1 })
  })
}

test('events of other kinds are not', () => {
  const recorder = new Recorder('7')
  for (const name of ['returned', 'healthy', 'unhealthy', 'overflowed'] as const) recorder.onEvent({ name, upstream: upstreamOf('a', []), endpoint: null, reason: '' })
})

test('reasons of ejections have a bound', async () => {
  const recorder = new Recorder('7')
  const upstream = upstreamOf('a', [])
  for (let number = 0; number < 100; number++) recorder.onEvent({ name: 'ejected', upstream, endpoint: null, reason: `reason ${number}` })
  const ejections = (await read(recorder)).of('sluice_outlier_ejections_total')

  assert.equal(Object.keys(ejections).length, 33)
  assert.equal(ejections['{upstream="a",reason="other"}'], 68)
})

test('health checks are counted by endpoint and result', async () => {
  const recorder = new Recorder('7')
  const upstream = upstreamOf('a', [endpointAt('http://10.0.0.1:3000')])
  for (const hasPassed of [true, true, false]) recorder.onHealthCheck(upstream, upstream.state.endpoints[0]!, hasPassed)

  assert.deepEqual((await read(recorder)).of('sluice_health_checks_total'), {
    '{upstream="a",endpoint="http://10.0.0.1:3000",result="success"}': 2,
    '{upstream="a",endpoint="http://10.0.0.1:3000",result="failure"}': 1
  })
})

test('429s of the proxy are counted by route', async () => {
  const recorder = new Recorder('7')
  const error = Object.assign(proxyError('internal_error', 'select'), { error: 'rate_limited' })
  recorder.onExchange(exchangeOf({ route: routeTo(upstreamOf('a', []), { id: '/a' }), statusCode: 429, error }))

  assert.deepEqual((await read(recorder)).of('sluice_rate_limited_total'), { '{route="/a",limiter="upstream"}': 1 })
})

test('event streams and tunnels are as long as they are, and never slow', async () => {
  const route = routeTo(upstreamOf('a', []), { id: '/a' })
  const recorder = new Recorder('7')
  recorder.onExchange(exchangeOf({ route, endedAt: 10_000, isEventStream: true }))
  recorder.onExchange(exchangeOf({ route, endedAt: 10_000, statusCode: 101 }))
  recorder.onExchange(exchangeOf({ route, endedAt: 200 }))
  recorder.onExchange(exchangeOf({ route, endedAt: 201 }))

  assert.equal((await read(recorder)).sum('sluice_slow_requests_total'), 1)
})

test('histograms for OpenTelemetry have a bound, and none is made without a producer', () => {
  const recorder = new Recorder('7')
  recorder.onAttempt(attemptOf(exchangeWith(), { statusCode: 200 }))
  const [series] = recorder.upstreams.get('orders')!.endpoints.values()
  assert.equal(series!.clientDurations, null)

  recorder.hasProducer = true
  for (let statusCode = 200; statusCode < 400; statusCode++) recorder.onAttempt(attemptOf(exchangeWith(), { statusCode }))
  assert.equal(series!.clientDurations!.size, 65)
})

test('what has passed of an open exchange is counted when somebody reads, for the upstream that it is at', async () => {
  const [stable, next] = [upstreamOf('stable', []), upstreamOf('next', [])]
  const canary = canaryTo(next, 'beta')
  const route = routeTo(stable, { id: '/a', canaries: [canary] })
  const recorder = new Recorder('7')
  const exchange = exchangeOf({ route, canary, variantReason: 'weight', endedAt: 0 })
  openFlow(recorder.flows, exchange)
  const counted = async (): Promise<Record<string, number>> => (await read(recorder)).of('sluice_response_bytes_total')

  exchange.bytesOut = 70
  assert.deepEqual(await counted(), { '{route="/a",upstream="next"}': 70 })
  // A retry begins its answer anew, and leaves the canary.
  exchange.bytesOut = 0
  exchange.upstream = stable
  assert.deepEqual(await counted(), { '{route="/a",upstream="next"}': 70 })
  exchange.bytesOut = 100
  assert.deepEqual(await counted(), { '{route="/a",upstream="next"}': 70, '{route="/a",upstream="stable"}': 30 })
  exchange.bytesOut = 105
  recorder.onExchange(exchange)
  recorder.flows.delete(exchange.flow!)
  assert.deepEqual(await counted(), { '{route="/a",upstream="next"}': 70, '{route="/a",upstream="stable"}': 35 })
})
