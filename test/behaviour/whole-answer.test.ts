import assert from 'node:assert/strict'
import test from 'node:test'
import type { FastifyInstance } from 'fastify'
import type { RouteOptions } from '../../types/index.ts'
import { connect } from '../helpers/client.ts'
import { answer, origin, rawOrigin, speak } from '../helpers/origin.ts'
import { isAccessLine, start } from '../helpers/proxy.ts'

/*
 * A whole body is answered without Fastify's send where that would change nothing. The client must not be able to tell, nor whoever has a hook.
 */

const answers: readonly (readonly [what: string, text: string])[] = [
  ['of a known length', 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nX-A: 1\r\n\r\nok'],
  ['in chunks', 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
  ['with an error', 'HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 2\r\nRetry-After: 1\r\n\r\n{}'],
  ['with a status that Fastify does not know', 'HTTP/1.1 799 Odd\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok'],
  ['with fields that come twice', 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nVary: A\r\nVary: B\r\nContent-Length: 2\r\n\r\nok'],
  ['with bytes beyond ASCII', 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-A: caf\xe9\r\nContent-Length: 2\r\n\r\n\xe9\xff'],
  ['of 9 KiB', `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 9216\r\n\r\n${'a'.repeat(9216)}`],
  ['of 40 KiB', `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 40960\r\n\r\n${'b'.repeat(40960)}`]
]

const requests: readonly (readonly [what: string, rest: string])[] = [
  ['', 'HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'],
  [', to a client of HTTP/1.0', 'HTTP/1.0\r\n\r\n'],
  [', to an upload', 'HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc']
]

for (const [what, text] of answers) {
  for (const [to, rest] of requests) {
    test(`an answer ${what}${to} reads the same whether a hook sees it or not`, async (t) => {
      const upstream = await rawOrigin(t, speak(text))
      const app = await start(t, {
        routes: [
          { url: '/seen', upstream: upstream.url, retry: false, onSend: async (_request, _reply, payload) => payload },
          { url: '/unseen', upstream: upstream.url, retry: false }
        ]
      })
      const read = async (path: string): Promise<string> => {
        const client = await connect(t, app.port)
        client.write(`POST ${path} ${rest}`)
        await client.closed
        return client.received.toString('latin1').replace(/^Date: .*$/m, 'Date: now')
      }
      assert.equal(await read('/unseen'), await read('/seen'))
    })
  }
}

test('requests of a pipeline are answered in their order', async (t) => {
  const upstream = await origin(t, (request, response) => { setTimeout(() => { answer(200, request.url!)(request, response, 1) }, request.url === '/1' ? 50 : 0) })
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)
  client.write(['/1', '/2', '/3'].map((path) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`).join(''))
  const bodies: string[] = []
  for (let count = 0; count < 3; count++) bodies.push((await client.response()).body.toString())
  assert.deepEqual(bodies, ['/1', '/2', '/3'])
})

const edits: readonly (readonly [what: string, onProxyResponse: NonNullable<RouteOptions['onProxyResponse']>])[] = [
  ['a status without a body', (head) => { head.statusCode = 204 }],
  ['another status', (head) => { head.statusCode = 404 }],
  ['a status that is none', (head) => { head.statusCode = 42 }],
  ['a name with capitals', ({ headers }) => { headers['Cache-Control'] = 'no-store' }],
  ['another length', ({ headers }) => { headers['content-length'] = '7' }],
  ['a length with capitals', ({ headers }) => { headers['Content-Length'] = '7' }],
  ['no length', ({ headers }) => { delete headers['content-length'] }],
  ['no type', ({ headers }) => { delete headers['content-type'] }],
  ['a field without a value', ({ headers }) => { headers['x-a'] = undefined as unknown as string }],
  ['a list of cookies', ({ headers }) => { headers['set-cookie'] = ['a=1', 'b=2'] }]
]
for (const [what, onProxyResponse] of edits) {
  test(`${what}, from a function of the user's, reads the same whether a hook sees it or not`, async (t) => {
    const upstream = await rawOrigin(t, speak('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: public\r\nContent-Length: 2\r\n\r\nok'))
    const route = { upstream: upstream.url, retry: false, onProxyResponse } as const
    const app = await start(t, { routes: [{ url: '/seen', ...route, onSend: async (_request, _reply, payload) => payload }, { url: '/unseen', ...route }] })
    const read = async (path: string): Promise<string> => {
      const client = await connect(t, app.port)
      client.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
      await client.closed
      return client.received.toString('latin1').replace(/^Date: .*$/m, 'Date: now').replace(/"(reqId|requestId|instance|trace_id)":"[^"]*"/g, '')
    }
    assert.equal(await read('/unseen'), await read('/seen'))
  })
}

test('an object of headers that code gives to one answer after the other stays as it is', async (t) => {
  const upstream = await rawOrigin(t, speak((_n, head) => head.startsWith('GET /whole')
    ? 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok'
    : `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 262144\r\n\r\n${'a'.repeat(262_144)}`))
  const shared = Object.freeze({ 'content-type': 'text/plain', 'x-a': '1' })
  const app = await start(t, {
    routes: [{ url: '/*', upstream: upstream.url, retry: false, onProxyResponse: (head) => { head.headers = shared }, onResponse: async (_request, reply) => { reply.header('x-late', '1').removeHeader('x-a') } }]
  })
  for (const [path, length] of [['/whole', 2], ['/large', 262_144], ['/whole', 2]] as const) {
    const { status, headers, body } = await app.get(path)
    assert.deepEqual([status, headers['x-a'], headers['x-late'], body.length], [200, '1', undefined, length])
  }
})

const own: readonly (readonly [what: string, before: (app: FastifyInstance) => void, route: Partial<RouteOptions>, check: string])[] = [
  ['a header that a hook has set', () => {}, { onRequest: async (_request, reply) => { reply.header('x-own', 'a') } }, 'x-own: a\r\n'],
  ['a header that a hook of the app has set', (app) => { app.addHook('onRequest', async (_request, reply) => { reply.header('x-own', 'a') }) }, {}, 'x-own: a\r\n'],
  ['a header set on Node\'s response', () => {}, { preHandler: async (_request, reply) => { reply.raw.setHeader('x-own', 'a') } }, 'x-own: a\r\n'],
  ['a trailer', () => {}, { preHandler: (_request, reply, done) => { reply.trailer('x-sum', (_reply, _payload, give) => { give(null, 'a') }); done() } }, 'x-sum: a\r\n'],
  ['what a plugin puts in the payload\'s place', (app) => { app.addHook('onRoute', (options) => { options.onSend = async () => 'other' }) }, {}, '\r\n\r\nother'],
  ['what a send of its own puts in its place', () => {}, {
    preHandler: async (_request, reply) => {
      const { send } = reply
      reply.send = () => send.call(reply, 'other')
    }
  }, '\r\n\r\nother'],
  ['what an end of its own puts in its place', () => {}, {
    preHandler: async (_request, { raw }) => {
      const { end } = raw
      raw.end = (() => end.call(raw, 'no', 'latin1')) as typeof end
    }
  }, '\r\n\r\nno']
]
for (const [what, before, route, expected] of own) {
  test(`${what} is not lost behind an answer that came whole`, async (t) => {
    const upstream = await origin(t, answer(200, 'ok', { 'content-type': 'text/plain' }))
    const app = await start(t, { routes: [{ url: '/x', upstream: upstream.url, ...route }] }, { before })
    const client = await connect(t, app.port)
    client.write('GET /x HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nConnection: close\r\n\r\n')
    await client.closed
    assert.ok(client.received.toString('latin1').includes(expected), client.received.toString('latin1'))
  })
}

test('hooks behind the response run once, and see what was sent', async (t) => {
  const upstream = await origin(t, answer(201, 'ok', { 'content-type': 'text/plain', 'x-a': '1' }))
  const seen: unknown[] = []
  const app = await start(t, { routes: [{ url: '/x', upstream: upstream.url, onResponse: async (_request, reply) => { seen.push([reply.statusCode, reply.sent, reply.elapsedTime > 0, reply.getHeader('x-a')]) } }] })
  assert.equal((await app.get('/x')).status, 201)
  assert.equal((await app.line(isAccessLine))['status'], 201)
  assert.deepEqual(seen, [[201, true, true, '1']])
})

test('an upload that is still under way closes the connection behind its answer', async (t) => {
  const upstream = await rawOrigin(t, speak('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok'))
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)
  client.write('POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc')
  const response = await client.response()
  assert.deepEqual([response.status, response.headers['connection']], [200, 'close'])
})

for (const [whether, hooks] of [['a hook sees', { onSend: async () => {} }], ['no hook sees', {}]] as const) {
  test(`an answer that ${whether}, with a field that cannot be written, becomes an error, once`, async (t) => {
    const upstream = await origin(t, answer(200, 'ok'))
    const app = await start(t, { routes: [{ url: '/x', upstream: upstream.url, ...hooks, onProxyResponse: ({ headers }) => { headers['x-own'] = 'a\nb' } }] })
    const response = await app.get('/x')
    assert.equal(response.status, 500)
    assert.equal((await app.line(isAccessLine))['status'], 500)
    assert.deepEqual(app.logs.filter(({ msg }) => /already sent/i.test(msg ?? '')), [])
  })
}

test('Fastify\'s own send is not gone through where nobody would see it', async (t) => {
  const upstream = await origin(t, answer(200, 'ok', { 'content-type': 'text/plain' }))
  let sends = 0
  const app = await start(t, { upstream: upstream.url }, {
    before: (app) => {
      app.addHook('onRequest', async (_request, reply) => {
        // Of Fastify, and of the app.
        const base = Object.getPrototypeOf(Object.getPrototypeOf(reply)) as { send: (payload: unknown) => unknown }
        const { send } = base
        t.mock.method(base, 'send', function (this: unknown, payload: unknown) {
          sends++
          return send.call(this, payload)
        })
      })
    }
  })
  assert.equal((await app.get('/x')).body, 'ok')
  assert.equal(sends, 0)
  assert.equal((await app.request('/x', { method: 'HEAD' })).status, 200)
  assert.ok(sends > 0)
})
