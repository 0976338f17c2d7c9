import assert from 'node:assert/strict'
import { Agent, request as httpRequest } from 'node:http'
import { createRequire } from 'node:module'
import test from 'node:test'
import { context, propagation, SpanKind } from '@opentelemetry/api'
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http'
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici'
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base'
import type { FastifyInstance, FastifyPluginCallback } from 'fastify'
import { values } from '../helpers/client.ts'
import { answer, origin, reset, slowHead, type Step } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'
import { parse, registerSdk } from './trace-sdk.ts'

/*
 * 200 exchanges at once over two connections, each with a trace of its own: beside the instrumentation that people have, alone and
 * all together, no span gets another's parent, and no upstream two traceparents.
 */

const { spans } = registerSdk()
const require = createRequire(import.meta.url)
// Not by its types: they close `config` of every route to keys of others.
const { FastifyOtelInstrumentation } = require('@fastify/otel') as { FastifyOtelInstrumentation: new () => { plugin (): FastifyPluginCallback } }
const count = 200

const http = new HttpInstrumentation({ enabled: false, disableOutgoingRequestInstrumentation: true })
// It patches what is loaded after it, and this process has node:http long since.
function enableHttp (): void {
  http.enable()
  require('http')
}

interface Setting {
  withUndici: boolean
  withFastify: boolean
  withHttp: boolean
  /** Exchanges that may be under way; the others wait in the upstream's own line rather than for a connection. */
  active?: number
}

const settings: Record<string, Setting> = {
  'an SDK alone': { withUndici: false, withFastify: false, withHttp: false },
  'instrumentation-undici': { withUndici: true, withFastify: false, withHttp: false },
  '@fastify/otel': { withUndici: false, withFastify: true, withHttp: false },
  'instrumentation-http': { withUndici: false, withFastify: false, withHttp: true },
  'all of them': { withUndici: true, withFastify: true, withHttp: true },
  'all of them, and a line of two at a time': { withUndici: true, withFastify: true, withHttp: true, active: 2 }
}

/** Every tenth request on a connection is reset: some exchanges have two attempts, and some two in vain. */
const shaky: Step = (request, response, n) => (n % 10 === 0 ? reset() : slowHead(1, answer(200, 'ok')))(request, response, n)

const hex = (n: number, length: number): string => n.toString(16).padStart(length, '0')
const traceOf = (index: number): string => hex(index + 1, 32)
const callerOf = (index: number): string => hex(index + 1, 16)

/** All at once, on connections that are kept: an instrumentation that mixes exchanges up has every occasion to. */
async function send (app: Started): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 100 })
  await Promise.all(Array.from({ length: count }, (_, index) => new Promise<void>((resolve, reject) => {
    const headers = { traceparent: `00-${traceOf(index)}-${callerOf(index)}-01`, tracestate: `from=${index}`, baggage: `user=${index}` }
    httpRequest({ agent, host: '127.0.0.1', port: app.port, path: `/items/${index}?secret`, headers }, (response) => {
      response.resume().on('end', resolve).on('error', reject)
    }).on('error', reject).end()
  })))
  agent.destroy()
}

/** Up to the span whose parent is the caller's. */
function rootOf (span: ReadableSpan, byId: ReadonlyMap<string, ReadableSpan>): ReadableSpan {
  const above = byId.get(span.parentSpanContext?.spanId ?? '')
  return above === undefined ? span : rootOf(above, byId)
}

for (const [what, setting] of Object.entries(settings)) {
  test(`with ${what}: each attempt is a span below its own caller, and the upstream sees that span alone`, async (t) => {
    const fastify = setting.withFastify ? new FastifyOtelInstrumentation() : null
    // Not enabled later: it looks at how it was made, and would do nothing.
    const undici = setting.withUndici ? new UndiciInstrumentation() : null
    if (setting.withHttp) enableHttp()
    t.after(() => {
      undici?.disable()
      if (setting.withHttp) http.disable()
    })
    const upstream = await origin(t, shaky)
    const app = await start(t, {
      upstreams: { items: { endpoints: [upstream.url], pool: { connections: 2 }, ...(setting.active !== undefined && { limits: { active: setting.active, queueTimeout: 30_000 } }) } },
      routes: [{ url: '/items/:id', upstream: 'items' }]
    }, {
      before: async (app: FastifyInstance) => {
        if (fastify !== null) await app.register(fastify.plugin())
        // Something of the app's on the way, that gives up its turn.
        app.addHook('preHandler', async () => { await new Promise((resolve) => { setImmediate(resolve) }) })
      }
    })

    await send(app)
    await app.app.close()
    const ours = await spans.until(upstream.hits)

    assert.equal(ours.length, upstream.hits)
    assert.ok(upstream.hits > count, 'some were tried again')
    assert.ok(new Set(upstream.requests.map(({ connection }) => connection)).size < upstream.hits / 4, 'connections were shared')
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
      if (setting.withFastify || setting.withHttp) assert.notEqual(root, span, 'there is a span of the server between them')
    }
    const again = ours.filter(({ attributes }) => Number(attributes['http.request.resend_count']) >= 1)
    assert.equal(again.length, ours.length - count)
    // Nobody else has made spans of what goes upstream.
    assert.deepEqual(spans.ended.filter(({ instrumentationScope, kind }) => kind === SpanKind.CLIENT && instrumentationScope.name !== 'fastify-sluice'), [])
  })

  if ((!setting.withFastify && !setting.withHttp) || setting.active !== undefined) continue
  test(`with ${what}: the span of the server has the template of the route`, async (t) => {
    const fastify = setting.withFastify ? new FastifyOtelInstrumentation() : null
    if (setting.withHttp) enableHttp()
    t.after(() => { if (setting.withHttp) http.disable() })
    const upstream = await origin(t, answer(200))
    const app = await start(t, { routes: [{ url: '/items/:id', upstream: upstream.url }] }, {
      before: async (app: FastifyInstance) => { if (fastify !== null) await app.register(fastify.plugin()) }
    })

    await app.get('/items/7')
    await app.app.close()
    const [span] = await spans.until(1)

    const root = rootOf(span!, new Map(spans.ended.map((span) => [span.spanContext().spanId, span])))
    assert.equal(root.attributes['http.route'], '/items/:id')
    assert.equal(root.kind, SpanKind.SERVER)
    if (setting.withHttp) assert.equal(root.name, 'GET /items/:id')
  })
}

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
