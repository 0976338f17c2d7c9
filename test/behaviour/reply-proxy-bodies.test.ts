import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import type { RequestInit } from '../helpers/client.ts'
import { answer, echo, origin, type Echo, type Origin, type Step } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'
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

// What is given as a body, and what arrives: type, length and bytes. The client's own request has a text body.
const bodies: readonly { body: string | Buffer | object | null, type: string | undefined, arrives: string }[] = [
  { body: 'ä', type: 'text/plain', arrives: 'Ã¤' },
  { body: Buffer.from([0, 255]), type: 'text/plain', arrives: '\u0000ÿ' },
  { body: { a: 1 }, type: 'application/json', arrives: '{"a":1}' },
  { body: [1, 2], type: 'application/json', arrives: '[1,2]' },
  { body: '', type: 'text/plain', arrives: '' },
  { body: null, type: undefined, arrives: '' }
]

test('reply.proxy sends the body it is given, an object as JSON', async (t) => {
  for (const { body, type, arrives } of bodies) {
    const app = await forwarding(t, { body })
    const echoed = await seen(app, '/a', { method: 'POST', body: 'of the client', headers: { 'content-type': 'text/plain' } })
    assert.deepEqual([echoed.headers['content-type'], echoed.headers['content-length'], echoed.body], [type, String(arrives.length), arrives], JSON.stringify(body))
  }
})

test('reply.proxy turns a GET into a POST with a body', async (t) => {
  const app = await forwarding(t, { method: 'POST', body: { a: 1 }, path: '/new' })

  const { method, url, headers, body } = await seen(app, '/a')

  assert.deepEqual([method, url, headers['content-type'], body], ['POST', '/new', 'application/json', '{"a":1}'])
})

// The app's own parser has read these before its route runs.
for (const body of ['{"a":[1,2,{"b":null}]}', '0', 'false', 'null', '""', '"text"', '[]', '-1.5']) {
  test(`reply.proxy sends on the JSON that the app has parsed: ${body}`, async (t) => {
    const app = await forwarding(t)

    const echoed = await seen(app, '/a', { method: 'POST', body, headers: { 'content-type': 'application/json; charset=utf-8' } })

    assert.equal(echoed.body, body)
    assert.equal(echoed.headers['content-type'], 'application/json; charset=utf-8')
    assert.equal(echoed.headers['content-length'], String(body.length))
  })
}

test('reply.proxy sends no body where the client sent none', async (t) => {
  const app = await forwarding(t)

  for (const method of ['GET', 'DELETE', 'POST']) {
    const { headers, bodyLength } = await seen(app, '/a', { method })
    assert.equal(bodyLength, 0, method)
    assert.equal(headers['transfer-encoding'], undefined, method)
  }
})

test('reply.proxy in a hook that runs before the body is read streams it untouched', async (t) => {
  const upstream = await origin(t, echo())
  const app = await start(t, { upstreams: { main: upstream.url }, routes: [] }, {
    after: (app) => { app.post('/x', { onRequest: async (_request, reply) => reply.proxy('main') }, async () => 'own') }
  })

  const { body, headers } = await seen(app, '/x', { method: 'POST', body: '{"broken":', headers: { 'content-type': 'application/json' } })

  assert.deepEqual([body, headers['content-length']], ['{"broken":', '10'])
})

test('reply.proxy streams a body that the app leaves unparsed', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstreams: { main: upstream.url }, routes: [] }, {
    after: (app) => {
      app.addContentTypeParser('application/octet-stream', (_request, payload, done) => { done(null, payload) })
      app.post('/x', (_request, reply) => reply.proxy('main'))
    }
  })

  const response = await app.request('/x', { method: 'POST', body: 'x'.repeat(3_000_000), headers: { 'content-type': 'application/octet-stream' } })

  assert.equal(response.status, 200)
  assert.equal(upstream.requests[0]!.bodyLength, 3_000_000)
})

/** Forwards all to an upstream that answers with this, by `options`. */
async function answered (t: TestContext, does: Step, options: ReplyProxyOptions): Promise<{ app: Started, upstream: Origin }> {
  const upstream = await origin(t, does)
  const app = await start(t, { upstreams: { main: upstream.url }, routes: [] }, {
    before: (app) => { app.removeAllContentTypeParsers(); app.addContentTypeParser('*', (_request, payload, done) => { done(null, payload) }) },
    after: (app) => { app.all('/*', (_request, reply) => reply.proxy('main', options)) }
  })
  return { app, upstream }
}

test('reply.proxy rewrites the body of the answer as a route does', async (t) => {
  const json = await answered(t, answer(200, '{"a":1}', { 'content-type': 'application/json', etag: '"1"' }), { bodyPolicy: { rewriteJson: (value) => ({ ...value as object, b: 2 }) } })
  const text = await answered(t, answer(200, 'at internal.example', { 'content-type': 'text/html' }), { body: { rewrite: true }, bodyPolicy: { rewrite: [['internal.example', 'shop.example']] } })

  const response = await json.app.get('/')
  assert.deepEqual([response.body, response.headers['content-length'] ?? null, response.headers['etag'] ?? null], ['{"a":1,"b":2}', '13', 'W/"1"'])
  assert.equal((await text.app.get('/')).body, 'at shop.example')
  // What is to be sent is never taken for a policy.
  assert.equal(text.upstream.requests[0]!.body.toString(), '{"rewrite":true}')
})

test('reply.proxy bounds bodies as a route does', async (t) => {
  const { app } = await answered(t, answer(200, 'x'.repeat(101)), { bodyPolicy: { requestLimit: 100, responseLimit: 100 } })

  assert.equal((await app.request('/', { method: 'POST', body: 'x'.repeat(101) })).status, 413)
  assert.equal((await app.get('/')).status, 502)
})

test('reply.proxy says what is wrong with a policy, and forwards nothing', async (t) => {
  const { app, upstream } = await answered(t, answer(200), { bodyPolicy: { responseLimits: 100 } } as ReplyProxyOptions)

  assert.equal((await app.get('/')).status, 500)
  assert.match((await app.line('reply.proxy'))['err'].message + JSON.stringify((app.logs)), /responseLimits/)
  assert.equal(upstream.hits, 0)
})
