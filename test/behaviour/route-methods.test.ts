import assert from 'node:assert/strict'
import test from 'node:test'
import cors from '@fastify/cors'
import { connect, raw } from '../helpers/client.ts'
import { answer, origin, slowHead } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

test('forwards every method that Fastify supports but TRACE, and those that the app has added', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url }, { before: (app) => { app.addHttpMethod('PROPFIND', { hasBody: true }) } })
  const methods = app.app.supportedMethods.filter((method) => method !== 'TRACE')
  assert.ok(methods.includes('PROPFIND') && methods.includes('OPTIONS'))

  // Fastify refuses QUERY without a content type (RFC 10008 2).
  const headers = { 'content-type': 'text/plain' }
  for (const method of methods) assert.equal((await app.request('/x', { method, headers })).status, 200, method)

  assert.deepEqual(upstream.requests.map(({ method }) => method), methods)
})

test('forwards methods that the app adds after the plugin, by the routes that take all', async (t) => {
  const upstream = await origin(t, answer(200))
  const hooks: string[] = []
  const app = await start(t, {
    prefix: '/dav',
    routes: [
      { url: '/*', upstream: upstream.url, onRequest: async ({ method }) => { hooks.push(method) } },
      { url: '/put', method: 'PUT', upstream: upstream.url }
    ]
  }, {
    after: async (app) => {
      await app.register(async (scope) => { scope.addHttpMethod('PROPFIND', { hasBody: true }) })
      await app.after()
      app.addHttpMethod('LOCK', { hasBody: true }).addHttpMethod('MKCOL')
      app.proxy.route({ url: '/later/*', upstream: upstream.url })
      await app.after()
      app.addHttpMethod('COPY')
    }
  })

  for (const method of ['PROPFIND', 'LOCK', 'MKCOL', 'COPY']) {
    for (const path of ['/dav/x', '/dav', '/later/x', '/later']) assert.equal((await app.request(path, { method, body: method === 'LOCK' ? 'body' : '' })).status, 200, `${method} ${path}`)
    assert.equal(app.app.proxy.explain({ method, url: '/dav/x' }).route?.id, '/dav/*')
  }
  assert.deepEqual(new Set(hooks), new Set(['PROPFIND', 'LOCK', 'MKCOL', 'COPY']))
  assert.ok(app.app.hasRoute({ method: 'PROPFIND' as 'GET', url: '/dav/put' }) === false)
  assert.equal(upstream.requests.find(({ method }) => method === 'LOCK')!.body.toString(), 'body')
})

test('a method that comes too late for any route is named in the log', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url }, { before: (app) => { app.addHook('onReady', async () => { app.addHttpMethod('PROPFIND') }) } })

  await app.line(({ level, msg }) => level === 40 && msg!.startsWith('PROPFIND came while the app starts'))
  assert.equal((await app.request('/x', { method: 'PROPFIND' })).status, 404)
})

test('a route that the app has no room for is a problem, also where the method comes later', async (t) => {
  const upstream = await origin(t, answer(200))
  await assert.rejects(start(t, { routes: [{ url: '/a/:x', upstream: upstream.url }] }, {
    before: (app) => { app.addHook('onRoute', ({ method }) => { if ([method].flat().includes('PROPFIND')) throw new Error('no room\nfor it') }) },
    after: (app) => { app.addHttpMethod('PROPFIND') }
  }), /routes\[0\]: no room for it/)
})

test('takes only the methods of a route that names some', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, {
    routes: [{ url: '/one', method: 'PUT', upstream: upstream.url }, { url: '/two/*', method: ['post', 'DELETE'], upstream: upstream.url }]
  })
  const statuses: Record<string, number> = {}

  for (const call of ['PUT /one', 'GET /one', 'POST /two/x', 'DELETE /two/x', 'POST /two', 'GET /two', 'GET /two/x', 'HEAD /one']) {
    const [method = '', path = ''] = call.split(' ')
    statuses[call] = (await app.request(path, { method })).status
  }

  assert.deepEqual(statuses, {
    'PUT /one': 200,
    'GET /one': 404,
    'POST /two/x': 200,
    'DELETE /two/x': 200,
    'POST /two': 200,
    'GET /two': 404,
    'GET /two/x': 404,
    'HEAD /one': 404
  })
})

test('a route of GET brings its HEAD along, which the upstream answers', async (t) => {
  const upstream = await origin(t, answer(200, 'body', { 'x-from': 'upstream' }))
  const app = await start(t, { routes: [{ url: '/x', method: 'GET', upstream: upstream.url }] })

  const response = await app.request('/x', { method: 'HEAD' })

  assert.equal(response.status, 200)
  assert.equal(response.headers['x-from'], 'upstream')
  assert.deepEqual(upstream.requests.map(({ method }) => method), ['HEAD'])
})

test('a route of GET leaves HEAD to the route that has it, and out where exposeHeadRoute is false', async (t) => {
  const upstream = await origin(t, answer(200, '', { 'x-from': 'upstream' }))
  const app = await start(t, {
    routes: [
      { url: '/own', method: 'GET', upstream: upstream.url },
      { url: '/none', method: 'GET', exposeHeadRoute: false, upstream: upstream.url }
    ]
  }, {
    before: (app) => { app.head('/own', async (_request, reply) => reply.header('x-from', 'app').send()) }
  })

  assert.equal((await app.request('/own', { method: 'HEAD' })).headers['x-from'], 'app')
  assert.equal((await app.get('/own')).headers['x-from'], 'upstream')
  assert.equal((await app.request('/none', { method: 'HEAD' })).status, 404)
  assert.equal((await app.get('/none')).status, 200)
})

test('routes of one url differ in their methods', async (t) => {
  const reads = await origin(t, answer(200, 'reads'))
  const writes = await origin(t, answer(200, 'writes'))
  const app = await start(t, {
    routes: [{ url: '/x/*', method: 'GET', upstream: reads.url }, { url: '/x/*', method: ['POST', 'PUT'], upstream: writes.url }]
  })

  assert.equal((await app.get('/x/1')).body, 'reads')
  assert.equal((await app.request('/x/1', { method: 'PUT' })).body, 'writes')
  assert.equal((await app.get('/x')).body, 'reads')
  assert.equal((await app.request('/x', { method: 'POST' })).body, 'writes')
})

test('routes of one url differ in their constraints', async (t) => {
  const a = await origin(t, answer(200, 'a'))
  const b = await origin(t, answer(200, 'b'))
  const app = await start(t, {
    routes: [
      { url: '/x/*', constraints: { host: 'a.example' }, upstream: a.url },
      { url: '/x/*', constraints: { host: 'b.example' }, upstream: b.url }
    ]
  })

  for (const [host, path, expected] of [['a.example', '/x/1', 'a'], ['b.example', '/x/1', 'b'], ['a.example', '/x', 'a'], ['b.example', '/x', 'b']] as const) {
    const response = await raw(t, app.port, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    assert.equal(response.body.toString(), expected, `${host}${path}`)
  }
  const other = await raw(t, app.port, 'GET /x/1 HTTP/1.1\r\nHost: c.example\r\n\r\n')
  assert.equal(other.status, 404)
})

test('leaves OPTIONS to @fastify/cors, and lets it mark what is forwarded', async (t) => {
  const upstream = await origin(t, answer(200, 'ok', { vary: 'accept' }))
  const app = await start(t, { upstream: upstream.url }, { before: async (app) => { await app.register(cors, { origin: ['http://a.example'] }) } })

  const preflight = await app.request('/x', { method: 'OPTIONS', headers: { origin: 'http://a.example', 'access-control-request-method': 'PUT' } })
  assert.equal(preflight.status, 204)
  assert.equal(preflight.headers['access-control-allow-origin'], 'http://a.example')
  assert.equal(upstream.hits, 0)

  const response = await app.get('/x', { origin: 'http://a.example' })
  assert.equal(response.body, 'ok')
  assert.equal(response.headers['access-control-allow-origin'], 'http://a.example')
  assert.deepEqual(response.headers['vary']?.toLowerCase().split(/, */).sort(), ['accept', 'origin'])
})

test('TRACE is for routes that name it', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { routes: [{ url: '/open/*', upstream: upstream.url }, { url: '/traced', method: ['GET', 'trace'], upstream: upstream.url }] })

  assert.equal((await app.request('/open/x', { method: 'TRACE' })).status, 404)
  assert.equal((await app.request('/traced', { method: 'TRACE' })).status, 200)
  assert.deepEqual(upstream.requests.map(({ method, url }) => [method, url]), [['TRACE', '/traced']])
})

test('answers CONNECT with 405 and opens no tunnel, also behind the answers of a pipeline', async (t) => {
  const upstream = await origin(t, slowHead(50))
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)

  client.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\nCONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n')
  const first = await client.response()
  const second = await client.response()
  await client.closed

  assert.deepEqual([first.status, second.status, second.headers['allow'], second.headers['connection']], [200, 405, '', 'close'])
  assert.deepEqual(upstream.requests.map(({ url }) => url), ['/slow'])
})

test('a CONNECT of HTTP/1 that calls itself HTTP/2.0 is answered, and ends nothing but its connection', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url })

  assert.equal((await raw(t, app.port, 'CONNECT example.com:443 HTTP/2.0\r\nHost: example.com:443\r\n\r\n')).status, 405)
  assert.equal((await app.get('/x')).status, 200)
})

test('leaves CONNECT to an app that listens for it', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url }, {
    after: (app) => { app.server.on('connect', (_request, socket) => { socket.end('HTTP/1.1 200 Of the app\r\nContent-Length: 0\r\n\r\n') }) }
  })

  assert.equal((await raw(t, app.port, 'CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n')).reason, 'Of the app')
})
