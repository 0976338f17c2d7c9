import assert from 'node:assert/strict'
import test from 'node:test'
import { Transform } from 'node:stream'
import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import { connect } from '../helpers/client.ts'
import { answer, echo, hang, origin, refusedPort, type Echo } from '../helpers/origin.ts'
import { isAccessLine, start } from '../helpers/proxy.ts'

test('runs every hook of a route once and in order, with the exchange on the request', async (t) => {
  const upstream = await origin(t, echo())
  const ran: string[] = []
  function note (name: string) {
    return async function hook (request: FastifyRequest): Promise<void> { ran.push(`${name} ${request.proxy!.route.id}`) }
  }
  const app = await start(t, {
    routes: [{
      url: '/x',
      method: 'POST',
      upstream: upstream.url,
      onRequest: [note('onRequest'), note('onRequest 2')],
      preParsing: note('preParsing'),
      preValidation: note('preValidation'),
      preHandler: note('preHandler'),
      onSend: note('onSend'),
      onResponse: note('onResponse')
    }]
  })

  await app.request('/x', { method: 'POST', body: 'text' })
  await app.line()

  assert.deepEqual(ran, ['onRequest', 'onRequest 2', 'preParsing', 'preValidation', 'preHandler', 'onSend', 'onResponse'].map((name) => `${name} POST /x`))
})

test('hooks of a one-line registration run too, and may be callbacks', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const app = await start(t, {
    prefix: '/api',
    upstream: upstream.url,
    preHandler: (_request, reply, done) => { reply.header('x-hook', 'ran'); done() }
  })

  const response = await app.get('/api/x')

  assert.equal(response.headers['x-hook'], 'ran')
  assert.equal(response.body, 'ok')
})

for (const hook of ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const) {
  test(`a request that ${hook} refuses reaches no upstream`, async (t) => {
    const upstream = await origin(t, echo())
    const app = await start(t, {
      routes: [
        { url: '/answered', upstream: upstream.url, [hook]: async (_request: FastifyRequest, reply: FastifyReply) => reply.code(401).send('no') },
        { url: '/thrown', upstream: upstream.url, [hook]: async () => { throw Object.assign(new Error('no'), { statusCode: 403 }) } }
      ]
    })

    assert.equal((await app.request('/answered', { method: 'POST', body: 'secret' })).status, 401)
    assert.equal((await app.request('/thrown', { method: 'POST', body: 'secret' })).status, 403)
    assert.equal(upstream.connections, 0)
  })
}

test('onSend may put another payload in the place of the response', async (t) => {
  const upstream = await origin(t, answer(200, 'x'.repeat(10), { 'content-type': 'text/plain' }), answer(200, 'x'.repeat(500_000), { 'content-type': 'text/plain' }))
  const app = await start(t, { upstream: upstream.url, onSend: async () => 'replaced' })

  for (const what of ['whole', 'stream']) {
    const response = await app.get('/x')
    assert.equal(response.body, 'replaced', what)
    assert.equal(response.headers['content-length'], '8', what)
  }
})

test('preParsing may put another stream in the place of the body', async (t) => {
  const upstream = await origin(t, echo())
  const app = await start(t, {
    upstream: upstream.url,
    preParsing: async (_request, _reply, payload) => payload.pipe(new Transform({
      transform (chunk: Buffer, _encoding, done) { done(null, chunk.toString().toUpperCase() + '!') }
    }))
  })

  const seen = JSON.parse((await app.request('/x', { method: 'POST', body: 'text' })).body) as Echo

  assert.equal(seen.body, 'TEXT!')
})

test('hooks see the config of their route', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, {
    routes: [{ url: '/x', upstream: upstream.url, config: { scope: 'pay:card' }, preHandler: async (request, reply) => { reply.header('x-scope', (request.routeOptions.config as { scope?: string }).scope ?? 'none') } }]
  })

  assert.equal((await app.get('/x')).headers['x-scope'], 'pay:card')
})

test('errors of the proxy go to the error handling of the route', async (t) => {
  const app = await start(t, {
    routes: [{
      url: '/x',
      upstream: `http://127.0.0.1:${await refusedPort()}`,
      errorHandler: (error, _request, reply) => { reply.code(418).send(`caught ${(error as { code?: string }).code}`) }
    }]
  })

  const response = await app.get('/x')

  assert.equal(response.status, 418)
  assert.equal(response.body, 'caught FST_SLUICE_CONNECTION_REFUSED')
})

test('handlerTimeout answers 503 and cancels the upstream', async (t) => {
  const upstream = await origin(t, hang())
  const app = await start(t, { routes: [{ url: '/x', upstream: upstream.url, handlerTimeout: 50 }] })

  const response = await app.get('/x')

  assert.equal(response.status, 503)
  await upstream.closed(1)
  assert.equal(upstream.requests[0]!.aborted, true)
  assert.equal(upstream.hits, 1)
})

test('logLevel of a route decides which of its lines are written', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, {
    routes: [{ url: '/quiet', upstream: upstream.url, logLevel: 'warn' }, { url: '/loud', upstream: upstream.url }]
  })

  await app.get('/quiet')
  await app.get('/loud')
  await app.line()

  assert.deepEqual(app.logs.filter(isAccessLine).map(({ path }) => path), ['/loud'])
})

test('logLevel of a one-line registration counts for its route', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { prefix: '/quiet', upstream: upstream.url, logLevel: 'warn' }, {
    after: (app) => { app.proxy.route({ url: '/loud', upstream: upstream.url }) }
  })

  await app.get('/quiet/x')
  await app.get('/loud')
  await app.line()

  assert.deepEqual(app.logs.filter(isAccessLine).map(({ path }) => path), ['/loud'])
})

test('hides its routes from what documents the app, unless they bring a schema of their own', async (t) => {
  const upstream = await origin(t, answer(200))
  const seen: Record<string, unknown> = {}
  const app = await start(t, {
    routes: [
      { url: '/hidden/*', upstream: upstream.url },
      { url: '/shown', method: 'GET', upstream: upstream.url, schema: { querystring: { type: 'object', required: ['q'] } } }
    ]
  }, {
    before: (app) => {
      app.addHook('onRoute', (route: RouteOptions) => { seen[route.url] = (route.schema as { hide?: boolean } | undefined)?.hide })
    }
  })

  assert.deepEqual(seen, { '/hidden/*': true, '/hidden': true, '/shown': undefined })
  // What is shown is also held to.
  assert.equal((await app.get('/shown')).status, 400)
  assert.equal((await app.get('/shown?q=1')).status, 200)
  assert.equal(upstream.hits, 1)
})

test('a client that leaves runs the onRequestAbort of the route', async (t) => {
  const upstream = await origin(t, hang())
  let aborted = 0
  const app = await start(t, { routes: [{ url: '/x', upstream: upstream.url, onRequestAbort: async () => { aborted++ } }] })
  const client = await connect(t, app.port)

  client.write('GET /x HTTP/1.1\r\nHost: x\r\n\r\n')
  await upstream.arrived(1)
  client.reset()
  await upstream.closed(1)
  await app.line()

  assert.equal(aborted, 1)
})
