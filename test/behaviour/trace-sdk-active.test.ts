import assert from 'node:assert/strict'
import test from 'node:test'
import { context, propagation, ROOT_CONTEXT, SpanKind, trace, type Span } from '@opentelemetry/api'
import { isTracingSuppressed } from '@opentelemetry/core'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { answer, drip, echo, origin, slowHead } from '../helpers/origin.ts'
import { isAccessLine, start } from '../helpers/proxy.ts'
import { parse, registerSdk } from './trace-sdk.ts'

const { spans, tracer } = registerSdk()

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'

/** What an instrumentation of Fastify does: a SERVER span per request, active for all that follows in it. */
function instrument (app: FastifyInstance): void {
  app.addHook('onRequest', (request: FastifyRequest, reply: FastifyReply, done: () => void) => {
    const parent = propagation.extract(ROOT_CONTEXT, request.headers)
    const span = tracer.startSpan(`server ${request.url}`, { kind: SpanKind.SERVER }, parent)
    reply.raw.once('close', () => { span.end() })
    context.with(trace.setSpan(parent, span), done)
  })
}

test('50 exchanges at once, most of them waiting for a connection: each span has its own request for a parent', async (t) => {
  const upstream = await origin(t, slowHead(2, answer(200, 'x'.repeat(100_000))))
  const app = await start(t, { upstream: { endpoints: [upstream.url], pool: { connections: 4 } } }, { before: instrument })

  await Promise.all(Array.from({ length: 50 }, (_, index) => app.get(`/${index}`, { traceparent: `00-${traceId}-${(index + 1).toString(16).padStart(16, '0')}-01` })))
  const ours = await spans.until(50)

  assert.equal(ours.length, 50)
  const servers = new Map((await spans.servers(50)).map((span) => [span.name, span]))
  for (const span of ours) {
    const path = new URL(String(span.attributes['url.full'])).pathname
    const server = servers.get(`server ${path}`)!
    assert.equal(span.parentSpanContext?.spanId, server.spanContext().spanId, path)
    assert.equal(server.parentSpanContext?.spanId, (Number(path.slice(1)) + 1).toString(16).padStart(16, '0'), path)
    const sent = upstream.requests.find(({ url }) => url === path)!
    assert.equal(parse(sent.headers['traceparent']).spanId, span.spanContext().spanId, path)
  }
})

test('a span that a hook of the route opened is the parent', async (t) => {
  const upstream = await origin(t, answer(200))
  let opened: Span | null = null
  const app = await start(t, {
    upstream: upstream.url,
    preHandler: (_request, _reply, done) => {
      opened = tracer.startSpan('auth')
      context.with(trace.setSpan(context.active(), opened), done)
      opened.end()
    }
  })

  await app.get('/x')
  const [span] = await spans.until(1)

  assert.equal(span!.parentSpanContext?.spanId, (opened as Span | null)!.spanContext().spanId)
})

test('every line of the exchange carries the ids of the active span', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, {
    upstream: upstream.url,
    preHandler: async (request) => { request.log.info('in a hook') },
    onSend: async (request) => { request.log.info('in onSend') }
  }, { before: instrument })

  await app.get('/x', { traceparent: `00-${traceId}-00f067aa0ba902b7-01` })
  const lines = [await app.line('in a hook'), await app.line('in onSend'), await app.line()]

  const [server] = await spans.servers(1)
  for (const line of lines) {
    assert.deepEqual([line['trace_id'], line['span_id']], [traceId, server!.spanContext().spanId], line.msg)
  }
})

test('without an active span the lines carry the ids of the caller', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url })

  await app.get('/x', { traceparent: `00-${traceId}-00f067aa0ba902b7-01` })
  const line = await app.line(isAccessLine)

  assert.deepEqual([line['trace_id'], line['span_id']], [traceId, '00f067aa0ba902b7'])
})

for (const [what, options, headers] of [
  ['without anybody to follow', {}, {}],
  ['with a caller who is not followed', { trace: 'restart' as const }, { traceparent: `00-${traceId}-00f067aa0ba902b7-01` }]
] as const) {
  test(`${what} the lines have the ids of the trace that begins here, from where it begins`, async (t) => {
    const upstream = await origin(t, answer(200))
    const app = await start(t, {
      upstream: upstream.url,
      ...options,
      preHandler: async (request) => { request.log.info('before') },
      onSend: async (request, reply) => {
        request.log.info('by request')
        reply.log.info('by reply')
      }
    })

    await app.get('/x', headers)
    const before = await app.line('before')
    const lines = [await app.line('by request'), await app.line('by reply'), await app.line()]

    const [span] = await spans.until(1)
    const ids = span!.spanContext()
    assert.equal(before['trace_id'], undefined)
    for (const line of lines) assert.deepEqual([line['trace_id'], line['span_id']], [ids.traceId, ids.spanId], line.msg)
  })
}

test('code of the app runs in the context of its own request, also behind the answer of an upstream', async (t) => {
  const upstream = await origin(t, drip(['a', 'b'], 5))
  const seen: [string, boolean][] = []
  function note (): void {
    seen.push([trace.getActiveSpan()?.spanContext().spanId ?? 'none', isTracingSuppressed(context.active())])
  }
  const app = await start(t, {
    upstream: { endpoints: [upstream.url], pool: { connections: 1 } },
    onProxyRequest: note,
    onProxyResponse: note,
    onSend: async () => { note() },
    onResponse: async () => { note() }
  }, { before: instrument })

  for (const path of ['/first', '/second']) {
    seen.length = 0
    spans.forget()
    await app.get(path)
    await app.line()
    const [server] = await spans.servers(1)
    assert.deepEqual(seen, Array.from({ length: 4 }, () => [server!.spanContext().spanId, false]))
  }
})

test('a restarted trace links to the span that is active', async (t) => {
  const upstream = await origin(t, echo())
  const app = await start(t, { upstream: upstream.url, trace: 'restart' }, { before: instrument })

  await app.get('/x', { traceparent: `00-${traceId}-00f067aa0ba902b7-01` })
  const [span] = await spans.until(1)
  await app.line()

  const [server] = await spans.servers(1)
  assert.notEqual(span!.spanContext().traceId, traceId)
  assert.equal(span!.parentSpanContext, undefined)
  assert.deepEqual(span!.links.map((link) => link.context.spanId), [server!.spanContext().spanId])
})
