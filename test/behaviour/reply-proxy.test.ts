import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { RequestInit } from '../helpers/client.ts'
import { answer, echo, origin, type Echo } from '../helpers/origin.ts'
import { isAccessLine, start, type Started } from '../helpers/proxy.ts'
import type { ReplyProxyOptions } from '../../types/index.ts'

/** An app whose every request code forwards to the upstream `main`. */
async function forwarding (t: TestContext, options?: ReplyProxyOptions): Promise<Started> {
  const upstream = await origin(t, echo())
  return start(t, { upstreams: { main: upstream.url }, routes: [] }, {
    after: (app) => { app.all('/*', (_request, reply) => reply.proxy('main', options)) }
  })
}

async function seen (app: Started, path: string, init?: RequestInit): Promise<Echo> {
  const response = await app.request(path, init)
  assert.equal(response.status, 200, response.body)
  return JSON.parse(response.body) as Echo
}

test('reply.proxy forwards a request as it came', async (t) => {
  const app = await forwarding(t)

  const { method, url, headers, body } = await seen(app, '/a/b?c=%20', { method: 'PUT', body: 'text', headers: { 'content-type': 'text/plain', 'x-a': '1' } })

  assert.deepEqual([method, url, headers['x-a'], headers['content-type'], headers['content-length'], body], ['PUT', '/a/b?c=%20', '1', 'text/plain', '4', 'text'])
})

test('reply.proxy can be returned from an async function', async (t) => {
  const upstream = await origin(t, answer(200, 'upstream'))
  const app = await start(t, { upstreams: { main: upstream.url }, routes: [] }, {
    after: (app) => {
      app.get('/x', async function (_request, reply) {
        await new Promise((resolve) => setImmediate(resolve))
        return reply.proxy('main')
      })
    }
  })

  assert.equal((await app.get('/x')).body, 'upstream')
})

test('reply.proxy takes a path of its own, with its query or none', async (t) => {
  const app = await forwarding(t, { path: '/users/self?full=1' })
  assert.equal((await seen(app, '/a?b')).url, '/users/self?full=1')

  const plain = await forwarding(t, { path: '/users/self' })
  assert.equal((await seen(plain, '/a?b')).url, '/users/self')
})

test('reply.proxy opens no tunnel: CONNECT is 400', async (t) => {
  for (const protocol of ['http1', 'h2'] as const) {
    const upstream = await origin(t, answer(200))
    const app = await start(t, { upstreams: { main: { endpoints: [upstream.url], pool: { protocol } } }, routes: [] }, {
      after: (app) => { app.get('/x', (_request, reply) => reply.proxy('main', { method: 'connect' })) }
    })

    assert.equal((await app.get('/x')).status, 400, protocol)
    assert.equal(upstream.connections, 0, protocol)
  }
})

test('reply.proxy holds its path to the path policy', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstreams: { main: upstream.url }, routes: [] }, {
    after: (app) => { app.get('/x', (request, reply) => reply.proxy('main', { path: (request.query as { to: string }).to })) }
  })

  for (const path of ['/a/../b', '/%2e%2e/b', 'users', '//a\\b', 'http://other.example/', '/a b', '/a\r\nx: y', '']) {
    assert.equal((await app.get(`/x?to=${encodeURIComponent(path)}`)).status, 400, path)
  }
  assert.equal(upstream.connections, 0)
})

test('reply.proxy takes a method of its own', async (t) => {
  const app = await forwarding(t, { method: 'delete' })

  assert.equal((await seen(app, '/a')).method, 'DELETE')
})

test('reply.proxy sets headers over those of the client, under any spelling', async (t) => {
  const app = await forwarding(t, { headers: { 'X-A': 'code', 'x-b': 'code' } })

  const { rawHeaders, headers } = await seen(app, '/a', { headers: { 'x-a': 'client', 'x-c': 'client' } })

  assert.deepEqual([headers['x-a'], headers['x-b'], headers['x-c']], ['code', 'code', 'client'])
  assert.equal(rawHeaders.filter((name) => name.toLowerCase() === 'x-a').length, 1)
})

test('reply.proxy takes the edits of a route for its headers', async (t) => {
  const app = await forwarding(t, { headers: { request: { remove: ['x-a'], append: { 'x-b': 'code' } }, response: { set: { 'x-c': 'code' } } } })

  const response = await app.get('/a', { 'x-a': 'client', 'x-b': 'client' })
  const { headers } = JSON.parse(response.body) as Echo

  assert.deepEqual([headers['x-a'], headers['x-b'], response.headers['x-c']], [undefined, 'client, code', 'code'])
})

test('reply.proxy takes the behaviour of a route', async (t) => {
  const upstream = await origin(t, echo({ location: '/there' }))
  const app = await start(t, { upstreams: { main: upstream.url }, routes: [] }, {
    after: (app) => {
      app.get('/x/:id', (_request, reply) => reply.proxy('main', {
        host: 'fixed.example',
        forwarded: false,
        via: false,
        trace: false,
        expose: true,
        credentials: (request) => ({ 'x-user': (request.params as { id: string }).id }),
        onProxyRequest: (head, exchange) => { head.headers['x-upstream'] = exchange.upstream.name },
        onProxyResponse: (head) => { head.statusCode = 203 }
      }))
    }
  })

  const response = await app.get('/x/7', { 'x-user': 'forged' })
  const { headers } = JSON.parse(response.body) as Echo

  assert.equal(response.status, 203)
  assert.equal(response.headers['x-variant'], 'stable')
  assert.deepEqual(
    [headers.host, headers['x-forwarded-for'], headers['via'], headers['traceparent'], headers['x-user'], headers['x-upstream']],
    ['fixed.example', undefined, undefined, undefined, '7', 'main']
  )
})

test('reply.proxy in a hook sends a proxied route elsewhere, as one exchange', async (t) => {
  const declared = await origin(t, answer(200, 'declared'))
  const other = await origin(t, answer(200, 'other'))
  const app = await start(t, {
    upstreams: { declared: declared.url, other: other.url },
    routes: [{
      url: '/x',
      upstream: 'declared',
      preHandler: async (request: FastifyRequest, reply: FastifyReply) => { if (request.headers['x-other'] !== undefined) return reply.proxy('other') }
    }]
  })

  assert.equal((await app.get('/x', { 'x-other': '1' })).body, 'other')
  assert.equal((await app.line())['upstream'], 'other')
  assert.equal((await app.get('/x')).body, 'declared')
  assert.equal((await app.line())['upstream'], 'declared')
  assert.equal(app.logs.filter(isAccessLine).length, 2)
})

test('reply.proxy takes what no route of the app wants', async (t) => {
  const upstream = await origin(t, echo())
  const app = await start(t, { upstreams: { main: upstream.url }, routes: [] }, {
    after: (app) => {
      app.get('/own', async () => 'own')
      app.setNotFoundHandler((_request, reply) => { reply.proxy('main') })
    }
  })

  assert.equal((await app.get('/own')).body, 'own')
  assert.equal((await seen(app, '/other?x')).url, '/other?x')
  assert.deepEqual((await seen(app, '/other', { method: 'POST', body: '{"a":1}', headers: { 'content-type': 'application/json' } })).body, '{"a":1}')
})

test('reply.proxy takes a URL for its upstream where adHoc allows its origin', async (t) => {
  const upstream = await origin(t, echo())
  const app = await start(t, { adHoc: { origins: [upstream.url] }, routes: [] }, { after: (app) => { app.get('/x', (_request, reply) => reply.proxy(`${upstream.url}/base`)) } })

  assert.equal((await seen(app, '/x')).url, '/base/x')
  assert.equal((await seen(app, '/x')).url, '/base/x')
  assert.equal(upstream.connections, 1)
})

test('reply.proxy to an upstream that does not exist is a config_error, and the log says what was meant', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstreams: { users: upstream.url }, routes: [] }, { after: (app) => { app.get('/x', (_request, reply) => reply.proxy('user')) } })

  const response = await app.get('/x')

  assert.equal(response.status, 500)
  assert.equal((JSON.parse(response.body) as { code: string }).code, 'FST_SLUICE_CONFIG_ERROR')
  assert.ok(!response.body.includes('users'))
  assert.ok(JSON.stringify(await app.line((line) => line['err'] !== undefined)).includes("did you mean 'users'?"))
})

test('reply.proxy refuses options that it does not know', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstreams: { main: upstream.url }, routes: [] }, {
    after: (app) => { app.get('/x', (_request, reply) => reply.proxy('main', { hosts: 'original' } as ReplyProxyOptions)) }
  })

  assert.equal((await app.get('/x')).status, 500)
  assert.ok(JSON.stringify(await app.line((line) => line['err'] !== undefined)).includes("did you mean 'host'?"))
  assert.equal(upstream.hits, 0)
})
