import assert from 'node:assert/strict'
import { Agent, request as httpRequest } from 'node:http'
import { createRequire } from 'node:module'
import test, { type TestContext } from 'node:test'
import { context, propagation, SpanKind } from '@opentelemetry/api'
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http'
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici'
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base'
import type { FastifyInstance, FastifyPluginCallback } from 'fastify'
import type { ProxyOptions, UpstreamOptions } from '../../types/index.ts'
import { values } from '../helpers/client.ts'
import { answer, gated, origin, reset, slowHead, type Step } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'
import { parse, registerSdk } from './trace-sdk.ts'

/*
 * 200 exchanges at once, each with a trace of its own: two are under way, 150 fill the queue, and the rest is refused. Beside the
 * instrumentation that people have, in every combination, no span gets another's parent, and no upstream two traceparents.
 */

const { spans } = registerSdk()
const require = createRequire(import.meta.url)
// Not by its types: they close `config` of every route to keys of others.
const { FastifyOtelInstrumentation } = require('@fastify/otel') as { FastifyOtelInstrumentation: new () => { plugin (): FastifyPluginCallback } }
const count = 200
const underWay = 2
const queued = 150
const refused = count - underWay - queued

const http = new HttpInstrumentation({ enabled: false, disableOutgoingRequestInstrumentation: true })
// It patches what is loaded after it, and this process has node:http long since.
function enableHttp (): void {
  http.enable()
  require('http')
}

interface Setting {
  what: string
  withUndici: boolean
  withFastify: boolean
  withHttp: boolean
}

const settings: Setting[] = Array.from({ length: 8 }, (_, bits) => {
  const [withUndici, withFastify, withHttp] = [(bits & 1) !== 0, (bits & 2) !== 0, (bits & 4) !== 0]
  const names = [withUndici && 'instrumentation-undici', withFastify && '@fastify/otel', withHttp && 'instrumentation-http'].filter((name) => name !== false)
  return { what: names.length === 0 ? 'an SDK alone' : names.join(' and '), withUndici, withFastify, withHttp }
})

/** What the others wait for. */
const queues: Record<string, UpstreamOptions> = {
  'a connection': { endpoints: [], pool: { connections: underWay } },
  'their turn': { endpoints: [], limits: { active: underWay } }
}

const everyTenth = 10
/** Every tenth request is reset: some exchanges have two attempts, and some two in vain. */
const shaky: Step = (request, response, n) => (n % everyTenth === 0 ? reset() : slowHead(1, answer(200, 'ok')))(request, response, n)

const hex = (n: number, length: number): string => n.toString(16).padStart(length, '0')
const traceOf = (index: number): string => hex(index + 1, 32)
const callerOf = (index: number): string => hex(index + 1, 16)

/** All at once, on connections of their own. @returns the statuses, in the order in which they come; the queue is full when as many are here as it cannot take */
function send (app: Started): { statuses: number[], full: Promise<void>, over: Promise<unknown> } {
  const agent = new Agent({ keepAlive: true, maxSockets: count })
  const statuses: number[] = []
  let isFull!: () => void
  const full = new Promise<void>((resolve) => { isFull = resolve })
  const over = Promise.all(Array.from({ length: count }, (_, index) => new Promise<void>((resolve, reject) => {
    const headers = { traceparent: `00-${traceOf(index)}-${callerOf(index)}-01`, tracestate: `from=${index}`, baggage: `user=${index}` }
    httpRequest({ agent, host: '127.0.0.1', port: app.port, path: `/items/${index}?secret`, headers }, (response) => {
      if (statuses.push(response.statusCode!) === refused) isFull()
      response.resume().on('end', resolve).on('error', reject)
    }).on('error', reject).end()
  })))
  return { statuses, full, over: over.finally(() => { agent.destroy() }) }
}

/** Up to the span whose parent is the caller's. */
function rootOf (span: ReadableSpan, byId: ReadonlyMap<string, ReadableSpan>): ReadableSpan {
  const above = byId.get(span.parentSpanContext?.spanId ?? '')
  return above === undefined ? span : rootOf(above, byId)
}

/** Makes the app, and what stands beside it, as the setting has it. */
async function begin (t: TestContext, { withUndici, withFastify, withHttp }: Setting, options: ProxyOptions): Promise<Started> {
  const fastify = withFastify ? new FastifyOtelInstrumentation() : null
  // Not enabled later: it looks at how it was made, and would do nothing.
  const undici = withUndici ? new UndiciInstrumentation() : null
  if (withHttp) enableHttp()
  t.after(() => {
    undici?.disable()
    if (withHttp) http.disable()
  })
  return start(t, options, {
    before: async (app: FastifyInstance) => {
      if (fastify !== null) await app.register(fastify.plugin())
      // Something of the app's on the way, that gives up its turn.
      app.addHook('preHandler', async () => { await new Promise((resolve) => { setImmediate(resolve) }) })
    }
  })
}

for (const [number, setting] of settings.entries()) {
  const { what, withFastify, withHttp } = setting
  for (const [index, [queue, options]] of Object.entries(queues).entries()) {
    // Both beside nothing and beside everything; one of them beside what is between.
    if (number > 0 && number < settings.length - 1 && number % 2 !== index) continue
    test(`with ${what}, while a full queue waits for ${queue}: each attempt is a span below its own caller, and the upstream sees that span alone`, async (t) => {
      const gate = gated(shaky)
      const upstream = await origin(t, gate.step)
      const app = await begin(t, setting, {
        upstreams: { items: { ...options, endpoints: [upstream.url], limits: { ...options.limits, pending: queued, queueTimeout: 60_000 } } },
        routes: [{ url: '/items/:id', upstream: 'items' }]
      })

      const { statuses, full, over } = send(app)
      await full
      assert.deepEqual([upstream.hits, app.app.proxy.upstream('items')!.load.pending], [underWay, queued])
      gate.release()
      await over
      await app.app.close()

      assert.deepEqual([...new Set(statuses.slice(0, refused))], [503])
      assert.ok(upstream.hits > underWay + queued, 'some were tried again')
      // Those that were refused have a span that says so, and is nobody's parent.
      const ours = await spans.until(upstream.hits + refused)
      assert.equal(ours.length, upstream.hits + refused)
      assert.equal(ours.filter(({ attributes }) => attributes['error.type'] === 'upstream_overflow').length, refused)
      const connections = new Set(upstream.requests.map(({ connection }) => connection)).size
      // A connection that breaks costs itself, and those beside it that carry nothing just then: where one was stale, they are no better.
      const resets = Math.floor(upstream.hits / everyTenth)
      assert.ok(connections <= underWay + resets * (1 + underWay), `${connections} connections for ${upstream.hits} requests and ${resets} resets`)
      const byId = new Map(spans.ended.map((span) => [span.spanContext().spanId, span]))
      for (const { url, rawHeaders } of upstream.requests) {
        const index = Number(/^\/items\/(\d+)/.exec(url)![1])
        const lines = values(rawHeaders, 'traceparent')
        assert.equal(lines.length, 1, url)
        assert.deepEqual([values(rawHeaders, 'tracestate'), values(rawHeaders, 'baggage')], [[`from=${index}`], [`user=${index}`]], url)
        const { traceId, spanId } = parse(lines[0])
        assert.equal(traceId, traceOf(index), url)
        const span = byId.get(spanId)!
        assert.deepEqual([span.instrumentationScope.name, span.kind, span.attributes['url.full']], ['fastify-sluice', SpanKind.CLIENT, `${upstream.url}/items/${index}`])
        const root = rootOf(span, byId)
        assert.deepEqual([root.parentSpanContext?.spanId, root.spanContext().traceId], [callerOf(index), traceOf(index)], url)
        if (withFastify || withHttp) assert.notEqual(root, span, 'there is a span of the server between them')
      }
      const again = ours.filter(({ attributes }) => Number(attributes['http.request.resend_count']) >= 1)
      assert.equal(again.length, upstream.hits - underWay - queued)
      // Nobody else has made spans of what goes upstream.
      assert.deepEqual(spans.ended.filter(({ instrumentationScope, kind }) => kind === SpanKind.CLIENT && instrumentationScope.name !== 'fastify-sluice'), [])
    })
  }

  if (!withFastify && !withHttp) continue
  test(`with ${what}: the span of the server has the template of the route`, async (t) => {
    const upstream = await origin(t, answer(200))
    const app = await begin(t, setting, { routes: [{ url: '/items/:id', upstream: upstream.url }] })

    await app.get('/items/7')
    await app.app.close()
    const [span] = await spans.until(1)

    const root = rootOf(span!, new Map(spans.ended.map((span) => [span.spanContext().spanId, span])))
    assert.equal(root.attributes['http.route'], '/items/:id')
    assert.equal(root.kind, SpanKind.SERVER)
    if (withHttp) assert.equal(root.name, 'GET /items/:id')
  })
}

test('health checks are in no trace', async (t) => {
  const undici = new UndiciInstrumentation()
  t.after(() => { undici.disable() })
  const upstream = await origin(t, answer(200))
  await start(t, { upstreams: { items: { endpoints: [upstream.url], health: { path: '/up', interval: 20, timeout: 5000, waitForHealthy: 5000 } } }, routes: [{ url: '/items/:id', upstream: 'items' }] })
  await upstream.arrived(3)

  assert.deepEqual([spans.started, spans.ended.length], [0, 0])
  assert.deepEqual(upstream.requests.flatMap(({ rawHeaders }) => values(rawHeaders, 'traceparent')), [])
})

test('what is made for a connection holds on to no exchange, and to nothing of its baggage', async (t) => {
  let seen: unknown
  const undici = new UndiciInstrumentation()
  t.after(() => { undici.disable() })
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url }, {
    before: (app) => {
      app.addHook('onRequest', (request, _reply, done) => {
        context.with(propagation.extract(context.active(), request.headers), done)
      })
      app.addHook('onResponse', async () => { seen = propagation.getActiveBaggage()?.getEntry('user')?.value })
    }
  })

  await app.get('/x', { baggage: 'user=ann' })
  await app.line()
  assert.equal(seen, 'ann')
  await app.get('/x', { baggage: 'user=bob' })
  await app.line()

  assert.equal(seen, 'bob')
  assert.deepEqual(upstream.requests.map(({ headers }) => headers['baggage']), ['user=ann', 'user=bob'])
})
