import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { LogController, type FastifyInstance } from 'fastify'
import proxy from '../../lib/index.ts'
import { echo, origin } from '../helpers/origin.ts'
import { isAccessLine, start, type LogLine, type Started } from '../helpers/proxy.ts'
import { authenticate, bearer, setUpJwt } from './auth-schemes.ts'

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const traced = { traceparent: `00-${traceId}-00f067aa0ba902b7-01` }

/** An app in which Fastify writes its own lines too: about requests, and about what its error handler was given. */
function startLogging (t: TestContext, place: (app: FastifyInstance) => void | Promise<void>): Promise<Started> {
  return start(t, { routes: [] }, { fastify: { logController: new LogController({}) }, before: setUpJwt, after: place })
}

/** Fastify's own line about an error of the app's. */
function isRefusal (line: LogLine): boolean {
  return line['err']?.code === 'FST_JWT_NO_AUTHORIZATION_IN_HEADER' && !isAccessLine(line)
}

const places: Record<string, (app: FastifyInstance, upstream: string) => void | Promise<void>> = {
  'the route': (app, upstream) => { app.proxy.route({ url: '/x', upstream, onRequest: authenticate }) },
  'the route, in preHandler': (app, upstream) => { app.proxy.route({ url: '/x', upstream, preHandler: authenticate }) },
  'a route that decides whom to trust': (app, upstream) => { app.proxy.route({ url: '/x', upstream, onRequest: authenticate, trust: () => true }) },
  'the whole app': async (app, upstream) => {
    app.addHook('onRequest', authenticate)
    await app.register(proxy, { routes: [{ url: '/x', upstream }] })
  }
}

for (const [where, place] of Object.entries(places)) {
  test(`the line about a request that the auth of ${where} refused carries the caller's trace`, async (t) => {
    const upstream = await origin(t, echo())
    const app = await startLogging(t, (app) => place(app, upstream.url))

    const { status } = await app.get('/x', traced)
    const line = await app.line(isRefusal)

    assert.equal(status, 401)
    assert.equal(line['trace_id'], traceId)
    assert.match(line['span_id'], /^[0-9a-f]{16}$/)
    assert.notEqual(line['span_id'], '00f067aa0ba902b7')
  })
}

test('a refused request has one access line, which says that nobody was asked', async (t) => {
  const upstream = await origin(t, echo())
  const app = await start(t, { routes: [{ url: '/x', upstream: upstream.url, onRequest: authenticate }] }, { before: setUpJwt })

  await app.get('/x?token=secret', traced)
  const line = await app.line()

  const { level, route, status, endpoint, attempts, error, path } = line
  assert.deepEqual(
    { level, route, status, endpoint, attempts, error, path },
    { level: 30, route: '/x', status: 401, endpoint: null, attempts: 0, error: '', path: '/x' }
  )
  assert.equal(line['trace_id'], traceId)
  assert.equal(app.logs.filter(isAccessLine).length, 1)
})

test('what auth itself logs carries the trace, that of an allowed request the same one as the upstream sees', async (t) => {
  const upstream = await origin(t, echo())
  const app = await start(t, {
    routes: [{
      url: '/x',
      upstream: upstream.url,
      onRequest: async (request) => {
        request.log.info('asking who it is')
        await request.jwtVerify()
      }
    }]
  }, { before: setUpJwt })

  await app.get('/x', { ...bearer({ sub: 'ann' }), ...traced })
  const [asking, access] = [await app.line('asking who it is'), await app.line()]

  const [, trace, span] = (upstream.requests[0]!.headers['traceparent'] as string).split('-')
  assert.deepEqual([asking['trace_id'], asking['span_id']], [trace, span])
  assert.deepEqual([access['trace_id'], access['span_id']], [trace, span])
  assert.equal(trace, traceId)
})

test('a refused request without a trace begins one in the log', async (t) => {
  const upstream = await origin(t, echo())
  const app = await startLogging(t, (app) => { app.proxy.route({ url: '/x', upstream: upstream.url, onRequest: authenticate }) })

  await app.get('/x', { traceparent: '00-00000000000000000000000000000000-00f067aa0ba902b7-01' })
  const [refusal, access] = [await app.line(isRefusal), await app.line()]

  assert.match(refusal['trace_id'], /^(?!0{32})[0-9a-f]{32}$/)
  assert.equal(access['trace_id'], refusal['trace_id'])
})
