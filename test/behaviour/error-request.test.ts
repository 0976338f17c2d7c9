import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { connect } from '../helpers/client.ts'
import { answer, echo, hang, origin } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'
import { assertFails, assertOneLine, startSick, type Row } from './error-outcome.ts'

const refused: Row = { status: 400, error: 'http_request_error', level: 30, phase: 'select' }
const host = 'Host: proxy.test\r\n'

const malformed: [what: string, request: string][] = [
  ['with two Host lines', `GET /sick/x HTTP/1.1\r\n${host}${host}\r\n`],
  ['with a list in Host', 'GET /sick/x HTTP/1.1\r\nHost: proxy.test, other.test\r\n\r\n'],
  ['with a user in Host', 'GET /sick/x HTTP/1.1\r\nHost: me@proxy.test\r\n\r\n'],
  ['with an empty Host', 'GET /sick/x HTTP/1.1\r\nHost:\r\n\r\n'],
  ['with a path that goes up', `GET /sick/../well HTTP/1.1\r\n${host}\r\n`],
  ['with a backslash in its path', `GET /sick/\\x HTTP/1.1\r\n${host}\r\n`],
  ['with a fragment', `GET /sick/x#y HTTP/1.1\r\n${host}\r\n`]
]

for (const [what, request] of malformed) {
  test(`answers 400 http_request_error to a request ${what}, which no upstream sees`, async (t) => {
    const upstream = await origin(t, answer(200))
    const proxy = await startSick(t, upstream.url)

    await assertFails(t, proxy, refused, request)

    assert.equal(upstream.connections, 0)
  })
}

test('answers 413 to a body that is announced as larger than the limit, before anything of it is read', async (t) => {
  const upstream = await origin(t, echo())
  const proxy = await startSick(t, upstream.url, { bodyLimit: 1000 })

  // The answer has our own label, and the connection closes: what follows on it is the body.
  await assertFails(t, proxy, { ...refused, status: 413, phase: 'requestBody' }, `POST /sick/x HTTP/1.1\r\n${host}Content-Length: 1001\r\n\r\n`)

  assert.equal(upstream.connections, 0)
})

test('answers 413 to a chunked body once it is larger than the limit, and takes the request back from the upstream', async (t) => {
  const upstream = await origin(t, echo())
  const proxy = await startSick(t, upstream.url, { bodyLimit: 1000 })
  const chunk = `1f4\r\n${'x'.repeat(500)}\r\n`

  await assertFails(t, proxy, { ...refused, status: 413, phase: 'requestBody' }, `POST /sick/x HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(3)}`)

  await upstream.idle()
  assert.equal(upstream.requests.some(({ complete }) => complete), false)
})

test('answers 400 client_body_error where a stream that the app put in the place of the body fails', async (t) => {
  const upstream = await origin(t, echo())
  const proxy = await startSick(t, upstream.url, {
    preParsing: async () => Readable.from((async function * () {
      yield 'begun'
      await upstream.arrived(1)
      throw new Error('wrong key')
    })())
  })

  const line = await assertFails(t, proxy, { status: 400, error: 'client_body_error', proxyStatus: 'http_request_error', level: 30, phase: 'requestBody' },
    `POST /sick/x HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\nplain`)

  assert.match(line['err'].message, /wrong key/)
  await upstream.idle()
  assert.equal(upstream.requests[0]?.complete, false)
})

const unreadable = { status: 400, error: 'client_body_error', level: 30, aborted: false }
/** A body that just ends is a client that left. */
const left = { status: 499, error: 'client_closed_request', level: 20, aborted: true }

const broken: [what: string, framing: string, begin: string, rest: string | null, logged: object][] = [
  ['has a chunk size that is none', 'Transfer-Encoding: chunked', '5\r\nhello\r\n', 'zz\r\n', unreadable],
  ['has a chunk longer than its size', 'Transfer-Encoding: chunked', '5\r\nhello', ' world\r\n', unreadable],
  ['ends before its last chunk', 'Transfer-Encoding: chunked', '5\r\nhello\r\n', null, left],
  ['ends before its length', 'Content-Length: 10', 'hello', null, left]
]

for (const [what, framing, begin, rest, logged] of broken) {
  test(`a request whose body ${what} never looks whole to the upstream`, async (t) => {
    const upstream = await origin(t, hang())
    const proxy = await startSick(t, upstream.url)
    const client = await connect(t, proxy.port)
    client.write(`POST /sick/x HTTP/1.1\r\n${host}${framing}\r\n\r\n${begin}`)
    await upstream.arrived(1)

    if (rest === null) client.end()
    else client.write(rest)

    // Node's parser finds it, and Fastify answers.
    const response = await client.response()
    assert.equal(response.status, 400)
    await client.closed
    await upstream.idle()
    assert.equal(upstream.requests[0]?.complete, false)
    const line = await proxy.line()
    assert.deepEqual({ status: line['status'], error: line['error'], level: line.level, aborted: line['aborted'] }, logged)
    assertOneLine(proxy, line)
    assert.equal((await proxy.get('/well')).status, 200)
  })
}

test('answers 502 proxy_loop_detected to a request that has been here before', async (t) => {
  let self = ''
  const proxy: Started = await start(t, {
    adHoc: { origins: () => true },
    routes: [{ url: '/well', upstream: (await origin(t, answer(200, 'well'))).url }]
  }, {
    after: (app) => {
      app.get('/sick/*', async (request, reply) => reply.proxy(self, { path: `/again${request.url}` }))
      app.get('/again/*', async (request, reply) => reply.proxy(self, { path: request.url }))
    }
  })
  self = proxy.url

  const response = await proxy.get('/sick/x')

  assert.equal(response.status, 502)
  assert.equal(JSON.parse(response.body).code, 'FST_SLUICE_PROXY_LOOP_DETECTED')
})
