import assert from 'node:assert/strict'
import test from 'node:test'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { values } from '../helpers/client.ts'
import { answer, origin, refusedPort } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'
import type { ResponseHeaderEdits } from '../../types/index.ts'

const edits = {
  remove: ['X-Remove', 'x-set'],
  set: { 'X-Set': 'new', 'x-fn': (request: FastifyRequest) => request.method, 'x-kept': () => undefined },
  append: { 'x-remove': 'again', 'X-Append': 'more', 'x-new': 'first', 'x-skipped': () => undefined }
}
const before = { 'x-remove': 'old', 'x-set': 'old', 'x-kept': 'old', 'x-append': 'old' }
const names = ['x-remove', 'x-set', 'x-fn', 'x-kept', 'x-append', 'x-new', 'x-skipped']
const after = [['again'], ['new'], ['GET'], ['old'], ['old', 'more'], ['first'], []]

test('edits the headers of a request: remove, then set, then append', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url, headers: { request: edits } })

  await app.get('/x', before)

  const { rawHeaders } = upstream.requests[0]!
  assert.deepEqual(names.map((name) => values(rawHeaders, name)), after)
})

test('edits the headers of a response: remove, then set, then append', async (t) => {
  const upstream = await origin(t, answer(200, '', before))
  const app = await start(t, { upstream: upstream.url, headers: { response: edits } })

  const { rawHeaders } = await app.get('/x')

  assert.deepEqual(names.map((name) => values(rawHeaders, name)), after)
})

test('edits come after all that the proxy itself sets', async (t) => {
  const upstream = await origin(t, answer(302, '', { location: '/there' }))
  const app = await start(t, {
    prefix: '/api',
    upstream: upstream.url,
    expose: true,
    headers: { request: { set: { 'x-forwarded-for': 'hidden' }, remove: ['via', 'traceparent'] }, response: { set: { location: '/edited' }, remove: ['x-variant'] } }
  })

  const { headers } = await app.get('/api/x')

  const sent = upstream.requests[0]!.headers
  assert.deepEqual([sent['x-forwarded-for'], sent['via'], sent['traceparent']], ['hidden', undefined, undefined])
  assert.deepEqual([headers['location'], headers['x-variant']], ['/edited', undefined])
})

test('appending a Set-Cookie leaves the others as they are', async (t) => {
  const upstream = await origin(t, answer(200, '', { 'set-cookie': ['a=1', 'b=2'] }))
  const app = await start(t, { upstream: upstream.url, headers: { response: { append: { 'set-cookie': 'c=3' } } } })

  assert.deepEqual((await app.get('/x')).headers['set-cookie'], ['a=1', 'b=2', 'c=3'])
})

test('onProxyRequest has the last word on the request', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, {
    upstream: upstream.url,
    headers: { request: { set: { 'x-a': 'edit' } } },
    onProxyRequest: (head, exchange) => {
      assert.equal(head.headers['x-a'], 'edit')
      head.headers['x-a'] = `${head.method} ${head.path} ${exchange.variant}`
      head.method = 'PUT'
      head.path = '/other?y=1'
      delete head.headers['via']
    }
  })

  assert.equal((await app.get('/x?z')).status, 200)

  const { method, url, headers } = upstream.requests[0]!
  assert.deepEqual([method, url, headers['x-a'], headers['via']], ['PUT', '/other?y=1', 'GET /x?z stable', undefined])
  const line = await app.line()
  assert.deepEqual([line['path'], line['upstreamPath']], ['/x', '/other'])
})

test('onProxyResponse has the last word on the response', async (t) => {
  const upstream = await origin(t, answer(200, 'body', { 'x-a': 'upstream' }))
  const app = await start(t, {
    upstream: upstream.url,
    headers: { response: { append: { 'x-a': 'edit' } } },
    onProxyResponse: (head, exchange) => {
      assert.deepEqual(head.headers['x-a'], ['upstream', 'edit'])
      head.headers['x-a'] = `${head.statusCode} ${exchange.attempts}`
      head.statusCode = 202
    }
  })

  const { status, headers, body } = await app.get('/x')

  assert.deepEqual([status, headers['x-a'], body], [202, '200 1', 'body'])
})

test('what a user function throws is an internal_error, and no upstream is left waiting', async (t) => {
  const upstream = await origin(t, answer(200, 'x'.repeat(300_000)))
  const fail = (): never => { throw new Error('secret detail') }
  const app = await start(t, {
    routes: [
      { url: '/request', upstream: upstream.url, onProxyRequest: fail },
      { url: '/response', upstream: upstream.url, onProxyResponse: fail },
      { url: '/edit', upstream: upstream.url, headers: { request: { set: { 'x-a': fail } } } },
      { url: '/rewrite', upstream: upstream.url, rewrite: fail },
      { url: '/credentials', upstream: upstream.url, credentials: fail },
      { url: '/trust', upstream: upstream.url, trust: fail },
      { url: '/invalid', upstream: upstream.url, onProxyResponse: (head) => { head.headers['x-a'] = 'a\r\nb' } }
    ]
  })

  for (const path of ['/request', '/response', '/edit', '/rewrite', '/credentials', '/trust', '/invalid']) {
    const { status, body } = await app.get(path)
    assert.equal(status, 500, path)
    assert.ok(!body.includes('secret'), path)
    const line = await app.line()
    assert.deepEqual([line['path'], line['error']], [path, 'internal_error'])
  }
  assert.equal(upstream.hits, 2)
})

// Which responses carry the edit.
const whens: readonly { when?: NonNullable<ResponseHeaderEdits['when']>, expected: readonly string[] }[] = [
  { expected: ['/200', '/404', '/503'] },
  { when: 'always', expected: ['/200', '/404', '/503', '/refused', '/401', '/thrown', '/cached', '/..;/bad'] },
  { when: 'success', expected: ['/200', '/cached'] },
  { when: 'failure', expected: ['/404', '/503', '/refused', '/401', '/thrown', '/..;/bad'] }
]

for (const scope of ['route', 'app'] as const) {
  test(`when decides which responses are edited, those of a hook of the ${scope} and of the proxy among them`, async (t) => {
    const upstream = await origin(t, (req, res) => { res.writeHead(Number(req.url!.slice(1)), { 'content-length': 0 }).end() })
    const gone = `http://127.0.0.1:${await refusedPort()}`
    for (const { when, expected } of whens) {
      const hook = async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
        if (request.url === '/401') return reply.code(401).send('no')
        if (request.url === '/cached') return reply.send('cached')
        if (request.url === '/thrown') throw new Error('thrown')
        return undefined
      }
      const behaviour = { headers: { response: { set: { 'x-edit': (request: FastifyRequest) => request.method, 'set-cookie': 'a=1' }, ...(when !== undefined && { when }) } } }
      const app = await start(t, {
        routes: [
          { url: '/*', upstream: upstream.url, ...behaviour, ...(scope === 'route' && { onRequest: hook }) },
          { url: '/refused', upstream: gone, ...behaviour }
        ]
      }, { before: (app) => { if (scope === 'app') app.addHook('onRequest', hook) } })

      const edited: string[] = []
      for (const path of ['/200', '/404', '/503', '/refused', '/401', '/thrown', '/cached', '/..;/bad']) {
        const { headers } = await app.get(path)
        if (headers['x-edit'] === 'GET') edited.push(path)
        assert.deepEqual(headers['set-cookie'] ?? [], headers['x-edit'] === undefined ? [] : ['a=1'], path)
      }
      assert.deepEqual(edited, expected, String(when))
    }
  })
}

test('an edit that throws is an internal_error, and does not hold up the answers of the proxy itself', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const headers = { response: { when: 'always' as const, set: { 'x-edit': () => { throw new Error('secret detail') } } } }
  const app = await start(t, { routes: [{ url: '/x', upstream: upstream.url, headers }, { url: '/refused', upstream: `http://127.0.0.1:${await refusedPort()}`, headers }] })

  const [answered, refused] = [await app.get('/x'), await app.get('/refused')]

  assert.deepEqual([answered.status, refused.status], [500, 502])
  assert.ok(!(answered.body + refused.body).includes('secret'))
})

test('an error behind a reply.proxy in a hook reaches the client of a route with edits', async (t) => {
  const app = await start(t, {
    adHoc: { origins: () => true },
    routes: [{
      url: '/x',
      upstream: 'http://127.0.0.1:9',
      headers: { response: { when: 'always', set: { 'x-edit': '1' } } },
      preHandler: async (_request, reply) => reply.proxy(`http://127.0.0.1:${await refusedPort()}`)
    }]
  })

  assert.equal((await app.get('/x')).status, 502)
})

test('expose shows the variant and where the time went', async (t) => {
  const upstream = await origin(t, answer(200, '', { 'server-timing': 'db;dur=1' }))
  const app = await start(t, { routes: [{ url: '/shown', upstream: upstream.url, expose: true }, { url: '/hidden', upstream: upstream.url }] })

  const shown = await app.get('/shown')
  const hidden = await app.get('/hidden')

  assert.equal(shown.headers['x-variant'], 'stable')
  const timing = values(shown.rawHeaders, 'server-timing')
  assert.equal(timing[0], 'db;dur=1')
  assert.match(timing[1]!, /^upstream;dur=[\d.]+, proxy;dur=[\d.]+, queue;dur=[\d.]+, connect;dur=[\d.]+, request;dur=[\d.]+, ttfb;dur=[\d.]+$/)
  assert.deepEqual([hidden.headers['x-variant'], hidden.headers['server-timing']], [undefined, 'db;dur=1'])
})
