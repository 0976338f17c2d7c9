import assert from 'node:assert/strict'
import test from 'node:test'
import type { FastifyInstance } from 'fastify'
import { connect } from '../helpers/client.ts'
import { answer, origin, reset } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

/*
 * A body that came with its head is sent on in one piece (data-plane/whole-upload.ts). However it comes, and whoever has looked at it
 * before, the upstream gets it whole, once.
 */

const post = (path: string, body: string): string => `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`
const body = 'ab'.repeat(500)

test('a body that comes with its head arrives as it was sent', async (t) => {
  const upstream = await origin(t, answer(200, 'one'), answer(200, 'two'))
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)

  for (const [index, text] of ['one', 'two'].entries()) {
    client.write(post('/x', body))
    assert.equal((await client.response()).body.toString(), text)
    assert.equal(upstream.requests[index]!.body.toString(), body)
  }
})

test('bodies of a pipeline that comes in one read stay apart', async (t) => {
  const upstream = await origin(t, answer(200, 'answer'))
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)

  client.write(['first', 'second', 'third'].map((text) => post(`/${text}`, text)).join('') + 'GET /last HTTP/1.1\r\nHost: a\r\n\r\n')
  for (let count = 0; count < 4; count++) assert.equal((await client.response()).status, 200)

  const seen = upstream.requests.map((request) => [request.url, request.body.toString()])
  assert.deepEqual(seen.sort(), [['/first', 'first'], ['/last', ''], ['/second', 'second'], ['/third', 'third']])
})

for (const [how, first, size] of [['in two halves', 500, 500], ['with its last byte late', 999, 1], ['without a byte of it at first', 0, 1000], ['in many pieces', 7, 13]] as const) {
  test(`a body that comes ${how} arrives as it was sent`, async (t) => {
    const upstream = await origin(t, answer(200, 'ok'))
    const app = await start(t, { upstream: upstream.url })
    const client = await connect(t, app.port)

    const whole = post('/x', body)
    const head = whole.length - body.length
    client.write(whole.slice(0, head + first))
    for (let from = head + first; from < whole.length; from += size) {
      await new Promise((resolve) => { setImmediate(resolve) })
      client.write(whole.slice(from, from + size))
    }
    assert.equal((await client.response()).status, 200)
    assert.equal(upstream.requests[0]!.body.toString(), body)
  })
}

const hooks: readonly (readonly [what: string, before: (app: FastifyInstance) => void])[] = [
  ['took their time', (app) => { app.addHook('onRequest', async () => { await new Promise((resolve) => { setTimeout(resolve, 20) }) }) }],
  ['listen to it as well', (app) => { app.addHook('onRequest', (request, _reply, done) => { request.raw.on('data', () => {}); done() }) }],
  ['have put a stream of their own around it', (app) => { app.addHook('preParsing', async (_request, _reply, payload) => payload) }]
]

for (const [what, before] of hooks) {
  test(`a body arrives once behind hooks that ${what}`, async (t) => {
    const upstream = await origin(t, answer(200, 'ok'))
    const app = await start(t, { upstream: upstream.url }, { before })
    const client = await connect(t, app.port)
    client.write(post('/x', body))
    assert.equal((await client.response()).status, 200)
    assert.deepEqual(upstream.requests.map((request) => request.body.toString()), [body])
  })
}

test('a body that came with its head is sent again to the next endpoint', async (t) => {
  const [bad, good] = [await origin(t, reset()), await origin(t, answer(200, 'ok'))]
  const app = await start(t, {
    upstreams: { a: { endpoints: [{ origin: bad.url, priority: 0 }, { origin: good.url, priority: 1 }] } },
    routes: [{ url: '/*', upstream: 'a', retry: { on: ['reset'] } }]
  })
  const response = await app.request('/x', { method: 'PUT', body, headers: {} })
  assert.deepEqual([response.status, response.body], [200, 'ok'])
  assert.equal(good.requests[0]!.body.toString(), body)
})

test('bytes of a body that came with its head are counted', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const app = await start(t, { upstream: upstream.url })
  await app.request('/x', { method: 'POST', body })
  assert.equal((await app.line())['bytesIn'], body.length)
})

test('an error handler that sends the request elsewhere sends its body with it', async (t) => {
  const [gone, good] = [await origin(t, reset()), await origin(t, answer(200, 'ok'), answer(200, 'ok'))]
  const app = await start(t, { upstreams: { gone: gone.url, good: good.url }, routes: [{ url: '/*', upstream: 'gone' }] }, {
    before: (app) => { app.setErrorHandler((_error, _request, reply) => reply.proxy('good')) }
  })
  const client = await connect(t, app.port)
  client.write(post('/x', body))
  assert.equal((await client.response()).body.toString(), 'ok')
  assert.equal(good.requests[0]!.body.toString(), body)
  assert.equal((await app.line())['bytesIn'], body.length)
})

test('of two upstreams that code names in one turn, the last alone gets the body', async (t) => {
  const [first, last] = [await origin(t, answer(200, 'not asked')), await origin(t, answer(200, 'ok'))]
  const app = await start(t, { upstreams: { first: first.url, last: last.url }, routes: [] }, {
    after: (app) => {
      app.removeAllContentTypeParsers()
      app.addContentTypeParser('*', (_request, payload, done) => { done(null, payload) })
      app.post('/x', (_request, reply) => { reply.proxy('first').proxy('last') })
    }
  })
  const client = await connect(t, app.port)
  client.write(post('/x', body))
  assert.equal((await client.response()).body.toString(), 'ok')
  assert.deepEqual([first.requests.length, last.requests[0]!.body.toString()], [0, body])
})

test('an error handler sends no rest of a body elsewhere as if it were whole', async (t) => {
  const [breaking, good] = [await origin(t, reset()), await origin(t, answer(200, 'not asked'))]
  const app = await start(t, { upstreams: { breaking: breaking.url, good: good.url }, routes: [{ url: '/*', upstream: 'breaking' }] }, {
    before: (app) => { app.setErrorHandler((_error, _request, reply) => reply.proxy('good')) }
  })
  const client = await connect(t, app.port)
  client.write('POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n')
  assert.equal((await client.response()).status, 502)
  assert.equal(good.requests.length, 0)
})

test('an empty chunked body that a hook listens to ends', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'), answer(200, 'ok'))
  const app = await start(t, { upstream: upstream.url }, {
    before: (app) => { app.addHook('onRequest', (request, _reply, done) => { request.raw.on('data', () => {}); done() }) }
  })
  const client = await connect(t, app.port)
  for (let count = 0; count < 2; count++) {
    client.write('POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n')
    assert.equal((await client.response()).status, 200)
  }
})

for (const [what, text] of [['all', '3\r\nabc\r\n0\r\n\r\n'], ['some', '3\r\nabc\r\n']] as const) {
  test(`a body of which hooks have read ${what} is not sent without that`, async (t) => {
    const upstream = await origin(t, answer(200, 'not whole'))
    const app = await start(t, { upstream: upstream.url }, {
      before: (app) => {
        app.addHook('onRequest', (request, _reply, done) => { request.raw.on('data', () => {}); done() })
        app.addHook('preHandler', async (request) => { while (!request.raw.readableDidRead || (what === 'all' && !request.raw.readableEnded)) await new Promise((resolve) => { setImmediate(resolve) }) })
      }
    })
    const client = await connect(t, app.port)
    client.write(`POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${text}`)
    assert.equal((await client.response()).status, 400)
  })
}
