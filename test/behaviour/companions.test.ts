import assert from 'node:assert/strict'
import { test } from 'node:test'
import cookie from '@fastify/cookie'
import etag from '@fastify/etag'
import formbody from '@fastify/formbody'
import helmet from '@fastify/helmet'
import multipart from '@fastify/multipart'
import rateLimit from '@fastify/rate-limit'
import requestContext from '@fastify/request-context'
import secureSession from '@fastify/secure-session'
import session from '@fastify/session'
import swagger from '@fastify/swagger'
import underPressure from '@fastify/under-pressure'
import type { FastifyRequest } from 'fastify'
import { answer, echo, origin, type Echo } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

/*
 * The plugins that people have beside a proxy, each with what goes wrong between the two. CORS: auth-cors.test.ts; WebSocket:
 * websocket-beside.test.ts; compress and circuit-breaker: companions-streams.test.ts.
 */

declare module 'fastify' {
  // With the types of these plugins it is no longer open to everything, for all tests.
  interface FastifyContextConfig { scope?: unknown }
}
declare module '@fastify/request-context' {
  interface RequestContextData { user: string }
}

test('helmet: its headers are on every answer, and what the upstream says of the same comes in their place', async (t) => {
  const upstream = await origin(t, answer(200, 'page', { 'content-type': 'text/html', 'content-security-policy': "default-src 'none'", 'strict-transport-security': 'max-age=1' }))
  const proxy = await start(t, { routes: [{ url: '/*', upstream: upstream.url }, { url: '/own/*', upstream: upstream.url, headers: { response: { remove: ['content-security-policy'] } } }] }, {
    before: async (app) => { await app.register(helmet) }
  })

  const { headers, body } = await proxy.get('/x')

  assert.equal(body, 'page')
  assert.deepEqual([headers['x-frame-options'], headers['x-content-type-options']], ['SAMEORIGIN', 'nosniff'])
  assert.equal(headers['content-security-policy'], "default-src 'none'")
  // Ours was there first, and two would be one too many.
  assert.match(String(headers['strict-transport-security']), /max-age=31536000/)
  assert.match(String((await proxy.get('/own/x')).headers['content-security-policy']), /^default-src 'self'/)
})

test('rate-limit: config.rateLimit applies per route, its 429 asks no upstream, and its headers are on what is proxied', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const proxy = await start(t, { routes: [{ url: '/limited', upstream: upstream.url, config: { rateLimit: { max: 2, timeWindow: 60_000 } } }, { url: '/free', upstream: upstream.url }] }, {
    before: async (app) => { await app.register(rateLimit, { global: false }) }
  })

  const responses = [await proxy.get('/limited'), await proxy.get('/limited'), await proxy.get('/limited')]

  assert.deepEqual(responses.map(({ status, headers }) => [status, headers['x-ratelimit-remaining']]), [[200, '1'], [200, '0'], [429, '0']])
  assert.ok(Number(responses[2]!.headers['retry-after']) > 0)
  assert.equal(upstream.hits, 2)
  assert.equal((await proxy.get('/free')).status, 200)
})

test('under-pressure: its 503 goes out with Retry-After, and is not tried again on any upstream', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  let isWell = true
  const proxy = await start(t, { upstream: upstream.url }, {
    before: async (app) => { await app.register(underPressure, { healthCheck: async () => isWell, healthCheckInterval: 20, retryAfter: 7 }) }
  })
  assert.equal((await proxy.get('/x')).status, 200)
  isWell = false

  let response = await proxy.get('/x')
  for (const until = performance.now() + 5000; response.status === 200 && performance.now() < until;) response = await proxy.get('/x')
  const { hits } = upstream
  const refused = await proxy.get('/x')

  assert.deepEqual([refused.status, refused.headers['retry-after']], [503, '7'])
  assert.equal(upstream.hits, hits)
})

/** @fastify/session and secure-session both type it. */
function visited (request: FastifyRequest): { visits?: number } {
  return request.session as unknown as { visits?: number }
}

test('session: its cookie stands beside those of the upstream, and is saved with what a hook put into it', async (t) => {
  const upstream = await origin(t, echo({ 'set-cookie': ['up=1; Path=/', 'up2=2'] }))
  const proxy = await start(t, {
    routes: [{
      url: '/*',
      upstream: upstream.url,
      preHandler: async (request) => { visited(request).visits = (visited(request).visits ?? 0) + 1 },
      headers: { request: { set: { 'x-visits': (request) => String(visited(request).visits) } } }
    }]
  }, {
    before: async (app) => {
      await app.register(cookie)
      await app.register(session, { secret: 'a secret of at least thirty-two bytes', cookie: { secure: false } })
    }
  })

  const first = await proxy.get('/x')
  const cookies = first.headers['set-cookie']!
  const own = cookies.find((text) => text.startsWith('sessionId='))!
  const second = await proxy.get('/x', { cookie: own.split(';', 1)[0]! })

  assert.deepEqual(cookies.filter((text) => text !== own), ['up=1; Path=/', 'up2=2'])
  assert.equal((JSON.parse(first.body) as Echo).headers['x-visits'], '1')
  assert.equal((JSON.parse(second.body) as Echo).headers['x-visits'], '2')
})

test('secure-session: its cookie stands beside those of the upstream', async (t) => {
  const upstream = await origin(t, echo({ 'set-cookie': ['up=1'] }))
  const proxy = await start(t, {
    routes: [{
      url: '/*',
      upstream: upstream.url,
      preHandler: async (request) => { if (request.session.get('user' as never) === undefined) request.session.set('user' as never, 'ada' as never) },
      headers: { request: { set: { 'x-user': (request) => String(request.session.get('user' as never)) }, remove: ['cookie'] } }
    }]
  }, {
    before: async (app) => { await app.register(secureSession, { key: Buffer.alloc(32, 7), cookieName: 'own' }) }
  })

  const first = await proxy.get('/x')
  const cookies = first.headers['set-cookie']!
  const second = await proxy.get('/x', { cookie: cookies.find((text) => text.startsWith('own='))!.split(';', 1)[0]! })

  assert.deepEqual(cookies.map((text) => text.split('=', 1)[0]).sort(), ['own', 'up'])
  const seen = JSON.parse(second.body) as Echo
  assert.deepEqual([seen.headers['x-user'], seen.headers.cookie], ['ada', undefined])
})

const form = '--edge\r\ncontent-disposition: form-data; name="file"; filename="ä.bin"\r\n\r\n\u0000\u00ff\r\n--edge--\r\n'
const bodies: [type: string, body: string][] = [
  ['multipart/form-data; boundary=edge', form],
  ['application/x-www-form-urlencoded', 'a=1&a=2&b=%20+x'],
  ['application/json', '{ "as": "it was written" }']
]

for (const order of ['before', 'after'] as const) {
  for (const [type, body] of bodies) {
    test(`multipart and formbody, registered ${order}: a body of ${type.split(';', 1)[0]} arrives byte for byte`, async (t) => {
      const upstream = await origin(t, echo())
      const proxy = await start(t, { prefix: '/proxied', upstream: upstream.url }, {
        [order]: async (app: Parameters<NonNullable<NonNullable<Parameters<typeof start>[2]>['before']>>[0]) => {
          await app.register(multipart)
          await app.register(formbody)
          app.post('/own', async (request) => request.body)
        }
      })
      const bytes = Buffer.from(body, 'latin1')

      const response = await proxy.request('/proxied/x', { method: 'POST', headers: { 'content-type': type }, body: bytes })

      const seen = JSON.parse(response.body) as Echo
      assert.deepEqual([seen.body, seen.headers['content-type'], seen.headers['content-length']], [body, type, String(bytes.length)])
      // And theirs still parse where they are meant to.
      if (type.includes('urlencoded')) assert.deepEqual(JSON.parse((await proxy.request('/own', { method: 'POST', headers: { 'content-type': type }, body })).body), { a: ['1', '2'], b: '  x' })
      assert.deepEqual(proxy.logs.filter(({ level }) => level >= 40), [])
    })
  }
}

test('swagger: proxied routes are hidden, unless their schema says otherwise', async (t) => {
  const upstream = await origin(t, answer(200))
  const proxy = await start(t, { routes: [{ url: '/hidden/*', upstream: upstream.url }, { url: '/shown', method: 'GET', upstream: upstream.url, schema: { summary: 'proxied' } }] }, {
    before: async (app) => { await app.register(swagger) },
    after: (app) => { app.get('/own', async () => 'own') }
  })

  const paths = Object.keys(proxy.app.swagger().paths ?? {})

  assert.deepEqual(paths.sort(), ['/own', '/shown'])
})

test('request-context: hooks before and behind the upstream see the context of their own request, also where connections are shared', async (t) => {
  const upstream = await origin(t, echo())
  const seen: string[] = []
  const proxy = await start(t, {
    upstream: { endpoints: [upstream.url], pool: { connections: 1 } },
    onRequest: async (request) => { request.requestContext.set('user', String(request.headers['x-user'])) },
    onProxyRequest: (head) => { head.headers['x-context'] = (proxy.app as unknown as { requestContext: never }) === undefined ? '' : 'set' },
    onSend: async (request, reply) => { reply.header('x-user', request.requestContext.get('user')!) },
    onResponse: async (request) => { seen.push(request.requestContext.get('user')!) }
  }, {
    before: async (app) => { await app.register(requestContext) }
  })
  const users = Array.from({ length: 20 }, (_, index) => `user ${index}`)

  const responses = await Promise.all(users.map((user) => proxy.get('/x', { 'x-user': user })))

  assert.deepEqual(responses.map(({ headers }) => headers['x-user']), users)
  assert.deepEqual(seen.toSorted(), users.toSorted())
})

test('etag: what the upstream tagged keeps its tag, whole and streamed bodies arrive, and conditions are the upstream’s to judge', async (t) => {
  const upstream = await origin(t, (req, res) => {
    if (req.url === '/tagged') {
      const isKnown = req.headers['if-none-match'] === '"up"'
      res.writeHead(isKnown ? 304 : 200, { etag: '"up"', ...(isKnown ? {} : { 'content-length': 6 }) })
      res.end(isKnown ? '' : 'tagged')
    } else {
      res.writeHead(200, { 'content-type': 'text/plain' })
      res.write('x'.repeat(100_000))
      setImmediate(() => res.end('end'))
    }
  })
  const proxy = await start(t, { upstream: upstream.url }, { before: async (app) => { await app.register(etag) } })

  const tagged = await proxy.get('/tagged')
  const known = await proxy.get('/tagged', { 'if-none-match': '"up"' })
  const streamed = await proxy.get('/streamed')

  assert.deepEqual([tagged.status, tagged.headers.etag, tagged.body], [200, '"up"', 'tagged'])
  assert.deepEqual([known.status, known.headers.etag, known.body], [304, '"up"', ''])
  assert.equal(streamed.body.length, 100_003)
})
