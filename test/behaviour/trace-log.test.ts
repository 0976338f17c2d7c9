import assert from 'node:assert/strict'
import test from 'node:test'
import { LogController, type FastifyReply, type FastifyRequest } from 'fastify'
import { answer, origin, refusedPort } from '../helpers/origin.ts'
import { isAccessLine, start, type Extra, type LogLine } from '../helpers/proxy.ts'
import type { LazyLogger } from '../../lib/model/lazy-logger.ts'
import type { RouteOptions } from '../../types/index.ts'

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const headers = { traceparent: `00-${traceId}-00f067aa0ba902b7-01` }
const verbose = { logController: new LogController({ disableRequestLogging: false }) }

async function log (request: FastifyRequest, reply: FastifyReply): Promise<void> {
  request.log.info('request')
  reply.log.warn('reply')
}

const hooks = {
  onRequest: log,
  preParsing: log,
  preValidation: log,
  preHandler: log,
  onSend: log,
  onResponse: log
}

/** The last lines of an exchange, in either order. */
const ends: ((line: LogLine) => boolean)[] = [isAccessLine, ({ msg }) => msg === 'request completed']

/** Lines that belong to a request, each with the ids of its trace, and one span for all. */
function checkLines (logs: readonly LogLine[], span: unknown): void {
  const lines = logs.filter((line) => 'reqId' in line)
  assert.ok(lines.length > 0)
  for (const line of lines) assert.deepEqual([line['trace_id'], line['span_id']], [traceId, span], JSON.stringify(line))
}

const variants: readonly (readonly [what: string, route: Partial<RouteOptions>, extra: Extra])[] = [
  ['of the app', {}, { before: (app) => { for (const [name, hook] of Object.entries(hooks)) app.addHook(name as 'onRequest', hook) } }],
  ['of the route', hooks, {}],
  ['of a route with a logger of its own', { ...hooks, childLoggerFactory: (logger, bindings, options) => logger.child({ ...bindings, own: 1 }, options) }, {}],
  ['of a route with a log level', { ...hooks, logLevel: 'debug' }, {}]
]

for (const [what, route, extra] of variants) {
  test(`every line of an exchange carries its trace, those of hooks ${what} among them`, async (t) => {
    const upstream = await origin(t, answer(200))
    const app = await start(t, { routes: [{ url: '/x', upstream: upstream.url, ...route }] }, { ...extra, fastify: verbose })

    await app.request('/x', { method: 'POST', body: 'text', headers })
    await app.line(() => ends.every((isEnd) => app.logs.some(isEnd)))

    const sent = String(upstream.requests[0]!.headers['traceparent']).split('-')
    // Two of each hook, two of Fastify's own and the access line.
    assert.equal(app.logs.filter((line) => 'reqId' in line).length, 15)
    checkLines(app.logs, sent[2])
  })
}

test('where trust decides, every line from the route\'s own hooks on carries the trace', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { routes: [{ url: '/x', upstream: upstream.url, ...hooks, trust: () => true }] })

  await app.get('/x', headers)
  const { span_id: span } = await app.line()

  assert.equal(app.logs.filter((line) => 'reqId' in line).length, 13)
  checkLines(app.logs, span)
})

for (const [what, route, ids] of [['by default', {}, true], ['where trust decides', { trust: () => true }, true], ['without a trace', { trace: false }, false]] as const) {
  test(`a request that logs nothing has no logger made for it, and its access line has ${ids ? 'its ids' : 'no ids'}, ${what}`, async (t) => {
    const upstream = await origin(t, answer(200))
    let children = 0
    const app = await start(t, { routes: [{ url: '/x', upstream: upstream.url, ...route, onResponse: async (request) => { children += (request.log as unknown as LazyLogger).isUnused ? 0 : 1 } }] })
    await app.get('/x', headers)
    assert.equal((await app.line())['trace_id'], ids ? traceId : undefined)
    assert.equal(children, 0)
  })
}

test('the lines of a restarted trace carry the new one, which the upstream sees', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { routes: [{ url: '/x', upstream: upstream.url, ...hooks, trace: 'restart' }] }, { fastify: verbose })

  await app.get('/x', headers)
  await app.line(() => ends.every((isEnd) => app.logs.some(isEnd)))

  const [, sent, span] = String(upstream.requests[0]!.headers['traceparent']).split('-')
  const lines = app.logs.filter((line) => 'reqId' in line)
  assert.notEqual(sent, traceId)
  assert.equal(lines.length, 15)
  for (const line of lines) assert.deepEqual([line['trace_id'], line['span_id']], [sent, span])
})

test('the lines of an exchange that fails carry its trace, that of its error too', async (t) => {
  const app = await start(t, { routes: [{ url: '/x', upstream: `http://127.0.0.1:${await refusedPort()}`, ...hooks, onError: log }] }, { fastify: verbose })

  await app.get('/x', headers)
  await app.line(() => ends.every((isEnd) => app.logs.some(isEnd)))
  const access = app.logs.find(isAccessLine)!

  assert.equal(access['error'], 'connection_refused')
  checkLines(app.logs, access['span_id'])
})

test('the lines behind reply.proxy carry the trace that the upstream sees', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstreams: { main: upstream.url }, routes: [] }, {
    after: (app) => {
      app.get('/x', { onSend: log, onResponse: log }, (request, reply) => {
        const answered = reply.proxy('main')
        request.log.info('after')
        return answered
      })
    }
  })

  await app.get('/x', headers)
  await app.line()

  const span = String(upstream.requests[0]!.headers['traceparent']).split('-')[2]
  assert.equal(app.logs.filter((line) => 'reqId' in line).length, 6)
  checkLines(app.logs, span)
})

test('other routes of the app have no trace in their lines', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { prefix: '/api', upstream: upstream.url }, { after: (app) => { app.get('/own', { onRequest: log }, async () => 'own') } })

  await app.get('/own', headers)
  await app.line('reply')

  for (const line of app.logs) assert.ok(!('trace_id' in line))
})
