import assert from 'node:assert/strict'
import test from 'node:test'
import { Transform } from 'node:stream'
import { connect, raw } from '../helpers/client.ts'
import { connectHttp2, http2Origin } from '../helpers/http2.ts'
import { answer, origin, rawOrigin, speak } from '../helpers/origin.ts'
import { type Extra, start } from '../helpers/proxy.ts'
import type { ProxyOptions } from '../../types/index.ts'

const get = 'GET /x HTTP/1.1\r\nHost: x\r\n\r\n'
const chunked = (trailers: string, body = '2\r\nok\r\n', head = '') => `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n${head}\r\n${body}0\r\n${trailers}\r\n`

// Fields that frame, route, authenticate or say how to read a message (RFC 9110 6.5.1).
const forbidden = 'Host: evil\r\nAuthorization: Basic eA==\r\nCookie: a=b\r\nContent-Type: text/evil\r\nTrailer: x\r\nConnection: close\r\nX-Forwarded-For: 1.1.1.1\r\nForwarded: for=1.1.1.1\r\nProxy-Authorization: x\r\n'

test('relays the trailers of a response that comes at once, of one that streams, and of one without a body', async (t) => {
  const upstream = await rawOrigin(t, speak((n) => [
    chunked('X-Checksum: abc\r\nGrpc-Status: 0\r\nx-twice: 1\r\nX-Twice: \xe4\r\n', '2\r\nok\r\n', 'Content-Type: text/plain\r\nTrailer: X-Checksum\r\n'),
    chunked('X-Checksum: abc\r\n', '20000\r\n' + 'x'.repeat(0x20000) + '\r\n', 'Content-Type: text/plain\r\n'),
    chunked('X-Checksum: abc\r\n', '')
  ][n - 1]!))
  const app = await start(t, { upstream: upstream.url })

  const whole = await raw(t, app.port, get)
  const streamed = await raw(t, app.port, get)
  const empty = await raw(t, app.port, get)

  assert.deepEqual({ ...whole.trailers }, { 'x-checksum': 'abc', 'grpc-status': '0', 'x-twice': '1, \xe4' })
  assert.equal(whole.body.toString(), 'ok')
  assert.deepEqual([{ ...streamed.trailers }, streamed.body.length], [{ 'x-checksum': 'abc' }, 0x20000])
  assert.deepEqual([{ ...empty.trailers }, empty.body.length], [{ 'x-checksum': 'abc' }, 0])
  // All over one connection.
  assert.equal(upstream.connections, 1)
})

test('relays the trailers behind a body that a hook transforms', async (t) => {
  const upstream = await rawOrigin(t, speak(chunked('X-Checksum: abc\r\n', '2\r\nok\r\n', 'Content-Type: text/plain\r\n')))
  const app = await start(t, {
    upstream: upstream.url,
    onSend: (_request, _reply, payload, done) => {
      done(null, (payload as NodeJS.ReadableStream).pipe(new Transform({ transform (chunk, _encoding, next) { next(null, String(chunk).toUpperCase()) } })))
    }
  })

  const { body, trailers } = await raw(t, app.port, get)

  assert.deepEqual([body.toString(), trailers['x-checksum']], ['OK', 'abc'])
})

test('drops forbidden trailer fields and those that Connection named, in responses and requests', async (t) => {
  const upstream = await rawOrigin(t, speak(chunked(`${forbidden}Set-Cookie: a=b\r\nLocation: /evil\r\nX-Own: 1\r\nX-Fine: 1\r\n`, undefined, 'Connection: x-own\r\n')))
  const seen = await origin(t, answer(200, 'next'))
  const app = await start(t, { routes: [{ url: '/x', upstream: upstream.url }, { url: '/up', upstream: seen.url }] })
  const client = await connect(t, app.port)

  assert.deepEqual({ ...(await raw(t, app.port, get)).trailers }, { 'x-fine': '1' })
  client.write(`POST /up HTTP/1.1\r\nHost: x\r\nConnection: x-own\r\nX-Said: head\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n${forbidden}Via: 1.1 evil\r\nTraceparent: x\r\nX-Own: 1\r\nX-Said: trailer\r\nX-Fine: 1\r\n\r\n`)
  await client.response()

  assert.deepEqual({ ...seen.requests[0]!.trailers }, { 'x-fine': '1' })
  // Nor have they become header fields.
  const { headers } = seen.requests[0]!
  assert.deepEqual([headers['authorization'], headers['cookie'], headers['x-said'], headers['content-type'], headers['x-fine']], [undefined, undefined, 'head', undefined, undefined])
})

test('relays the trailers of a request, over a connection that goes on being used', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)

  client.write('POST /x HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\nTrailer: X-Checksum\r\n\r\n4\r\nbody\r\n0\r\nX-Checksum: abc\r\nx-b: \xe4\r\n\r\n')
  await client.response()
  client.write('POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nnext\r\n0\r\n\r\n')
  await client.response()
  client.write('POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Checksum: of nothing\r\n\r\n')
  await client.response()

  assert.deepEqual(upstream.requests.map(({ body, trailers }) => [body.toString(), { ...trailers }]), [
    ['body', { 'x-checksum': 'abc', 'x-b': '\xe4' }],
    ['next', {}],
    ['', {}]
  ])
  assert.equal(upstream.connections, 1)
})

test('sends no trailers where none can be: behind a length, to HTTP/1.0, and for HEAD', async (t) => {
  const upstream = await rawOrigin(t, speak((_n, head) => head.startsWith('HEAD') ? 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n' : chunked('X-Checksum: abc\r\n', undefined, 'Content-Type: text/plain\r\n')))
  const app = await start(t, { routes: [{ url: '/x', upstream: upstream.url }, { url: '/own', upstream: upstream.url, onSend: async () => 'own payload' }] })

  const old = await raw(t, app.port, 'GET /x HTTP/1.0\r\n\r\n')
  const head = await raw(t, app.port, 'HEAD /x HTTP/1.1\r\nHost: x\r\n\r\n')
  const own = await raw(t, app.port, 'GET /own HTTP/1.1\r\nHost: x\r\n\r\n')

  assert.deepEqual([old.body.toString(), { ...old.trailers }, old.headers['transfer-encoding']], ['ok', {}, undefined])
  assert.deepEqual([head.status, { ...head.trailers }], [200, {}])
  assert.deepEqual([own.body.toString(), { ...own.trailers }, own.headers['content-length']], ['own payload', {}, '11'])
})

for (const lines of ['Content-Length: 1', 'Content-Length: x', 'Transfer-Encoding: gzip', 'Transfer-Encoding: chunked', 'Connection: close', 'Connection: x-fine', 'Keep-Alive: timeout=1']) {
  test(`${lines} in the trailers of an answer is dropped: its body is whole, and so is the next answer`, async (t) => {
    const upstream = await rawOrigin(t, speak(chunked(`${lines}\r\nX-Fine: 1\r\n`)))
    const app = await start(t, { upstream: upstream.url })
    const client = await connect(t, app.port)

    for (let count = 0; count < 3; count++) {
      client.write(get)
      const { status, complete, body, headers, trailers } = await client.response()
      assert.deepEqual([status, complete, body.toString(), headers['content-length']], [200, true, 'ok', undefined])
      // The parser reads no further than a length.
      assert.deepEqual({ ...trailers }, lines.startsWith('Content-Length') ? {} : { 'x-fine': '1' })
    }
  })
}

test('an answer whose trailers are garbage is cut off, never ended', async (t) => {
  const upstream = await rawOrigin(t, speak((n) => chunked(['Bad Name: 1\r\n', ' folded\r\n', 'X: a\0b\r\n'][n - 1]!)))
  const app = await start(t, { upstream: upstream.url })

  for (let count = 0; count < 3; count++) assert.equal((await raw(t, app.port, get)).complete, false)
})

test('what frames a message has no place in the trailers of a request: the parser refuses it, and nobody takes it for a whole one', async (t) => {
  const seen = await origin(t, answer(200))
  const app = await start(t, { upstream: seen.url })

  for (const line of ['Content-Length: 1', 'Transfer-Encoding: gzip']) {
    const refused = await raw(t, app.port, `POST /up HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n${line}\r\n\r\n`)
    assert.deepEqual([refused.status, seen.requests.some(({ complete }) => complete)], [400, false], line)
  }
})

const announcing = 'Content-Type: text/plain\r\nConnection: x-own\r\nTrailer: X-Checksum, Content-Length, X-Own\r\nTrailer: x-more\r\n'

test('Trailer goes with the trailers that it announces, without names of those that do not travel on', async (t) => {
  const upstream = await rawOrigin(t, speak((n) => [
    chunked('X-Checksum: abc\r\n', '2\r\nok\r\n', announcing),
    chunked('X-Checksum: abc\r\n', '20000\r\n' + 'x'.repeat(0x20000) + '\r\n', announcing),
    chunked('X-Checksum: abc\r\n', '', announcing),
    // Forbidden ones alone.
    chunked('X-Checksum: abc\r\n', '2\r\nok\r\n', 'Content-Type: text/plain\r\nTrailer: Host, not a name\r\n')
  ][n - 1]!))
  const app = await start(t, { upstream: upstream.url })

  for (const names of ['X-Checksum, x-more', 'X-Checksum, x-more', 'X-Checksum, x-more', undefined]) {
    const { headers, trailers, complete } = await raw(t, app.port, get)
    assert.deepEqual([headers['trailer'], { ...trailers }, complete], [names, { 'x-checksum': 'abc' }, true])
  }
})

test('Trailer stays behind where none can follow', async (t) => {
  const upstream = await rawOrigin(t, speak((_n, head) => head.startsWith('HEAD')
    ? 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Checksum\r\n\r\n'
    : head.includes('/304')
      ? 'HTTP/1.1 304 Not Modified\r\nTrailer: X-Checksum\r\n\r\n'
      : head.includes('/length')
        ? `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTrailer: X-Checksum\r\nContent-Length: ${0x20000}\r\n\r\n${'x'.repeat(0x20000)}`
        // Announced, and none came.
        : chunked('', '2\r\nok\r\n', 'Content-Type: text/plain\r\nTrailer: X-Checksum\r\n')))
  const routes = [
    { url: '/x', upstream: upstream.url }, { url: '/304', upstream: upstream.url }, { url: '/length', upstream: upstream.url },
    { url: '/own', upstream: upstream.url, onSend: async () => 'own payload' },
    { url: '/framed', upstream: upstream.url, onSend: async (_request: unknown, reply: { raw: { removeHeader (name: string): void } }, payload: unknown) => { reply.raw.removeHeader('transfer-encoding'); return payload } }
  ]
  const app = await start(t, { routes: routes as ProxyOptions['routes'] & object })

  for (const request of ['GET /x HTTP/1.0\r\n\r\n', 'GET /x HTTP/1.1\r\nHost: x\r\n\r\n', 'HEAD /x HTTP/1.1\r\nHost: x\r\n\r\n', 'GET /304 HTTP/1.1\r\nHost: x\r\n\r\n', 'GET /length HTTP/1.1\r\nHost: x\r\n\r\n', 'GET /own HTTP/1.1\r\nHost: x\r\n\r\n', 'GET /framed HTTP/1.1\r\nHost: x\r\n\r\n']) {
    const { status, headers } = await raw(t, app.port, request)
    assert.deepEqual([status, headers['trailer']], [request.includes('/304') ? 304 : 200, undefined], request)
  }
})

test('Trailer of a request goes on with a chunked body, and with no other', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const app = await start(t, {
    routes: [
      { url: '/up', upstream: upstream.url },
      { url: '/changed', upstream: upstream.url, preParsing: async (_request, _reply, payload) => payload.pipe(new Transform({ transform (chunk, _encoding, next) { next(null, chunk) } })) }
    ]
  })
  const lines = 'Trailer: X-Checksum, Host, X-Own\r\nConnection: x-own\r\n'
  for (const request of [
    `POST /up HTTP/1.1\r\nHost: x\r\n${lines}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Checksum: 1\r\n\r\n`,
    `POST /changed HTTP/1.1\r\nHost: x\r\n${lines}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Checksum: 1\r\n\r\n`,
    `POST /up HTTP/1.1\r\nHost: x\r\n${lines}Content-Length: 2\r\n\r\nok`,
    'POST /up HTTP/1.1\r\nHost: x\r\nTrailer: Host\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
    `GET /up HTTP/1.1\r\nHost: x\r\n${lines}\r\n`
  ]) assert.equal((await raw(t, app.port, request)).status, 200)

  assert.deepEqual(upstream.requests.map(({ headers, trailers }) => [headers['trailer'], { ...trailers }]), [
    ['X-Checksum', { 'x-checksum': '1' }], [undefined, {}], [undefined, {}], [undefined, {}], [undefined, {}]
  ])
})

test('Trailer goes over HTTP/2 on both sides', async (t) => {
  const upstream = await http2Origin(t, (stream) => {
    stream.on('end', () => {
      stream.respond({ ':status': 200, trailer: 'x-sum, host' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => { stream.sendTrailers({ 'x-sum': '6' }) })
      stream.end('answer')
    }).resume()
  })
  const app = await start(t, { upstreams: { main: { endpoints: [upstream.url], pool: { protocol: 'h2' } } }, routes: [{ url: '/*', upstream: 'main' }] }, { fastify: { http2: true } as Extra['fastify'] & object })
  const client = await connectHttp2(t, app.url)

  const { headers, trailers } = await client.request({ ':method': 'POST', ':path': '/', trailer: 'x-request-sum, host' }, { body: 'question', trailers: { 'x-request-sum': '8' } })

  assert.deepEqual([headers['trailer'], trailers['x-sum']], ['x-sum', '6'])
  assert.deepEqual([upstream.requests[0]!.headers['trailer'], upstream.requests[0]!.trailers['x-request-sum']], ['x-request-sum', '8'])
})
