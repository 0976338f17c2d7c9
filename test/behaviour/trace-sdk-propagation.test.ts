import assert from 'node:assert/strict'
import { channel } from 'node:diagnostics_channel'
import test, { type TestContext } from 'node:test'
import { context, propagation, trace } from '@opentelemetry/api'
import type { RouteBehaviour } from '../../types/index.ts'
import { raw, values } from '../helpers/client.ts'
import { answer, origin, slowHead } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'
import { parse, registerSdk } from './trace-sdk.ts'

const { spans } = registerSdk()

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const parent = '00f067aa0ba902b7'
const traceparent = `00-${traceId}-${parent}-01`

/** The header lines that the upstream gets of a request with these lines. */
async function sent (t: TestContext, lines: string[], behaviour: RouteBehaviour = {}): Promise<string[]> {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url, ...behaviour })
  const { status } = await raw(t, app.port, ['GET /x HTTP/1.1', 'Host: proxy.test', ...lines, '', ''].join('\r\n'))
  assert.equal(status, 200)
  return upstream.requests[0]!.rawHeaders
}

const followed: Record<string, string[]> = {
  'a plain line': [`traceparent: ${traceparent}`],
  'another case': [`TraceParent: ${traceparent}`],
  'a nomination in Connection': [`traceparent: ${traceparent}`, 'Connection: traceparent, tracestate'],
  'other flags': [`traceparent: 00-${traceId}-${parent}-09`]
}

for (const [what, lines] of Object.entries(followed)) {
  test(`the caller's trace goes on in one traceparent, that of the span: ${what}`, async (t) => {
    const all = values(await sent(t, lines), 'traceparent')

    const [span] = await spans.until(1)
    assert.deepEqual(all, [`00-${traceId}-${span!.spanContext().spanId}-01`])
    assert.equal(span!.parentSpanContext?.spanId, parent)
  })
}

const restarted: Record<string, string[]> = {
  'no line': [],
  'two lines': [`traceparent: ${traceparent}`, `traceparent: 00-${traceId}-${parent}-00`],
  'zeros only': [`traceparent: 00-${'0'.repeat(32)}-${parent}-01`, 'tracestate: a=1'],
  'not a traceparent': ['traceparent: nonsense', 'tracestate: a=1']
}

for (const [what, lines] of Object.entries(restarted)) {
  test(`a trace begins here where the caller's cannot be read: ${what}`, async (t) => {
    const rawHeaders = await sent(t, lines)

    const [span] = await spans.until(1)
    assert.deepEqual(values(rawHeaders, 'traceparent'), [`00-${span!.spanContext().traceId}-${span!.spanContext().spanId}-01`])
    assert.notEqual(span!.spanContext().traceId, traceId)
    assert.equal(span!.parentSpanContext, undefined)
    assert.deepEqual(values(rawHeaders, 'tracestate'), [])
  })
}

test('tracestate and baggage of the caller are sent once, as the propagator writes them', async (t) => {
  const rawHeaders = await sent(t, [`traceparent: ${traceparent}`, 'tracestate: a=1', 'Tracestate: b=2', 'baggage: user=ann', 'Baggage: tier=gold'])

  assert.deepEqual(values(rawHeaders, 'tracestate'), ['a=1,b=2'])
  assert.deepEqual(values(rawHeaders, 'baggage').map((value) => value.split(',').sort()), [['tier=gold', 'user=ann']])
})

test('an unsampled trace stays unsampled, and is not recorded', async (t) => {
  const rawHeaders = await sent(t, [`traceparent: 00-${traceId}-${parent}-00`])

  const [line] = values(rawHeaders, 'traceparent')
  assert.equal(parse(line).traceId, traceId)
  assert.notEqual(parse(line).spanId, parent)
  assert.equal(parse(line).flags, '00')
  assert.equal(spans.started, 0)
})

test('passthrough sends what came, and makes no span', async (t) => {
  const rawHeaders = await sent(t, [`traceparent: ${traceparent}`, 'tracestate: a=1', 'baggage: user=ann'], { trace: 'passthrough' })

  assert.deepEqual(['traceparent', 'tracestate', 'baggage'].map((name) => values(rawHeaders, name)), [[traceparent], ['a=1'], ['user=ann']])
  assert.equal(spans.started, 0)
})

test('without tracing the headers are none of ours, and there is no span', async (t) => {
  const rawHeaders = await sent(t, ['traceparent: whatever', 'baggage: user=ann'], { trace: false })

  assert.deepEqual(['traceparent', 'baggage'].map((name) => values(rawHeaders, name)), [['whatever'], ['user=ann']])
  assert.equal(spans.started, 0)
})

for (const [what, behaviour] of Object.entries<RouteBehaviour>({ 'trace: restart': { trace: 'restart' }, 'a caller who is not trusted': { trust: () => false } })) {
  test(`${what}: a new trace, without the old one's state and baggage, that links to it`, async (t) => {
    const rawHeaders = await sent(t, [`traceparent: ${traceparent}`, 'tracestate: a=1', 'baggage: user=ann'], behaviour)

    const [span] = await spans.until(1)
    const { traceId: own, spanId } = parse(values(rawHeaders, 'traceparent')[0])
    assert.notEqual(own, traceId)
    assert.deepEqual([span!.spanContext().traceId, span!.spanContext().spanId, span!.parentSpanContext], [own, spanId, undefined])
    assert.deepEqual(span!.links.map((link) => [link.context.traceId, link.context.spanId]), [[traceId, parent]])
    assert.deepEqual(['tracestate', 'baggage'].flatMap((name) => values(rawHeaders, name)), [])
  })
}

test('a caller who is trusted is followed, without a link', async (t) => {
  const rawHeaders = await sent(t, [`traceparent: ${traceparent}`], { trust: () => true })

  const [span] = await spans.until(1)
  assert.equal(parse(values(rawHeaders, 'traceparent')[0]).traceId, traceId)
  assert.deepEqual(span!.links, [])
})

/** Does with every request of undici what its instrumentation does: a span of the active context, and its fields on top of those that are there. */
function instrumentUndici (t: TestContext): void {
  const requests = channel('undici:request:create')
  function onCreate (message: unknown): void {
    const { request } = message as { request: { addHeader (name: string, value: string): void } }
    const span = trace.getTracer('instrumentation').startSpan('GET', {}, context.active())
    const fields: Record<string, string> = {}
    propagation.inject(trace.setSpan(context.active(), span), fields)
    for (const [name, value] of Object.entries(fields)) request.addHeader(name, value)
    span.end()
  }
  requests.subscribe(onCreate)
  t.after(() => { requests.unsubscribe(onCreate) })
}

test('another instrumentation of undici adds neither a field nor a span, also to requests that wait for a connection', async (t) => {
  instrumentUndici(t)
  const upstream = await origin(t, slowHead(5))
  const app = await start(t, { upstream: { endpoints: [upstream.url], pool: { connections: 2 } } })

  await Promise.all(Array.from({ length: 10 }, (_, index) => app.get(`/${index}`, { traceparent, baggage: `n=${index}` })))

  assert.equal(upstream.hits, 10)
  for (const { rawHeaders, url } of upstream.requests) {
    assert.deepEqual(values(rawHeaders, 'baggage'), [`n=${url.slice(1)}`])
    assert.equal(values(rawHeaders, 'traceparent').length, 1)
  }
  assert.equal((await spans.until(10)).length, 10)
  assert.equal(spans.started, 10)
})
