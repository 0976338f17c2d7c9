import assert from 'node:assert/strict'
import test from 'node:test'
import { connect, raw, values } from '../helpers/client.ts'
import { answer, collectHead, origin, rawOrigin, speak } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

// Every byte that may stand in a value (RFC 9110 5.5): tab, visible ASCII and obs-text. Node's `write` takes one byte per character.
const bytes = Array.from({ length: 256 }, (_, byte) => byte)
  .filter((byte) => byte === 9 || (byte >= 0x20 && byte !== 0x7f))
  .map((byte) => String.fromCharCode(byte)).join('')
const value = `a${bytes}z`

test('every legal byte of a header value arrives upstream as it was sent', async (t) => {
  const upstream = await rawOrigin(t, speak('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'))
  const app = await start(t, { upstream: upstream.url })

  const response = await raw(t, app.port, `GET /x HTTP/1.1\r\nHost: x\r\nX-Bytes: ${value}\r\nCookie: n=${'\xe9\xff'}\r\n\r\n`)

  assert.equal(response.status, 200)
  assert.ok(upstream.heads[0]!.includes(`x-bytes: ${value}\r\n`))
  assert.ok(upstream.heads[0]!.includes('cookie: n=\xe9\xff\r\n'))
})

// The ways a response can take through the proxy.
const responses: readonly [what: string, rest: string][] = [
  ['no body', 'Content-Length: 0\r\n\r\n'],
  ['a small text', 'Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nok'],
  ['a small JSON', 'Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}'],
  ['small bytes', 'Content-Type: image/png\r\nContent-Length: 2\r\n\r\n\xff\xfe'],
  ['no content type', 'Content-Length: 2\r\n\r\nok'],
  ['chunks', 'Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
  ['a long text', `Content-Type: text/plain\r\nContent-Length: 300000\r\n\r\n${'x'.repeat(300_000)}`]
]

for (const [what, rest] of responses) {
  test(`every legal byte of a header value arrives at the client as it was sent, with ${what}`, async (t) => {
    const upstream = await rawOrigin(t, speak(`HTTP/1.1 200 OK\r\nX-Bytes: ${value}\r\nContent-Disposition: attachment; filename="\xe4"\r\nSet-Cookie: n=\xe9\r\n${rest}`))
    const app = await start(t, { upstream: upstream.url })

    const { rawHeaders, complete } = await raw(t, app.port, 'GET /x HTTP/1.1\r\nHost: x\r\n\r\n')

    assert.deepEqual(values(rawHeaders, 'x-bytes'), [value])
    assert.deepEqual(values(rawHeaders, 'content-disposition'), ['attachment; filename="\xe4"'])
    assert.deepEqual(values(rawHeaders, 'set-cookie'), ['n=\xe9'])
    assert.equal(complete, true)
  })
}

test('every legal byte of a header value arrives at the client as it was sent, before there is a body', async (t) => {
  let finish = (): void => {}
  const upstream = await rawOrigin(t, async (socket) => {
    await collectHead(socket)
    socket.write(`HTTP/1.1 200 OK\r\nX-Bytes: ${value}\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n`, 'latin1')
    finish = () => { socket.write('ok') }
  })
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)

  client.write('GET /x HTTP/1.1\r\nHost: x\r\n\r\n')
  await client.until('\r\n\r\n')
  finish()

  assert.deepEqual(values((await client.response()).rawHeaders, 'x-bytes'), [value])
})

test('edits may put bytes above ASCII into a header', async (t) => {
  const upstream = await rawOrigin(t, speak('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok'))
  const app = await start(t, { upstream: upstream.url, headers: { request: { set: { 'x-a': '\xe9' } }, response: { set: { 'x-a': '\xe9' } } } })

  const { rawHeaders } = await raw(t, app.port, 'GET /x HTTP/1.1\r\nHost: x\r\n\r\n')

  assert.ok(upstream.heads[0]!.includes('x-a: \xe9\r\n'))
  assert.deepEqual(values(rawHeaders, 'x-a'), ['\xe9'])
})

test('several Set-Cookie stay several, in their order', async (t) => {
  const cookies = ['a=1; Path=/; Expires=Thu, 01 Jan 2026 00:00:00 GMT', 'b=2', 'a=3; HttpOnly']
  const upstream = await origin(t, answer(200, 'ok', { 'set-cookie': cookies }), answer(200, 'x'.repeat(300_000), { 'set-cookie': cookies }), answer(302, '', { 'set-cookie': cookies }))
  const app = await start(t, { upstream: upstream.url, onRequest: (_request, reply, done) => { reply.header('set-cookie', 'app=1'); done() } })

  for (const what of ['whole', 'streamed', 'empty']) {
    assert.deepEqual(values((await app.get('/x')).rawHeaders, 'set-cookie'), ['app=1', ...cookies], what)
  }
})

test('lines of one name keep their order, and empty ones stay', async (t) => {
  const upstream = await rawOrigin(t, speak('HTTP/1.1 200 OK\r\nX-A: 1\r\nLink: </a>\r\nx-a: 2\r\nX-Empty:\r\nX-A: 3\r\nLink: </b>\r\nVary: a\r\nVary: b\r\nContent-Length: 0\r\n\r\n'))
  const app = await start(t, { upstream: upstream.url })

  const { rawHeaders } = await raw(t, app.port, 'GET /x HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nX-B: x\r\nx-a: 2\r\nX-Empty:\r\n\r\n')

  assert.deepEqual(['x-a', 'link', 'vary', 'x-empty'].map((name) => values(rawHeaders, name)), [['1', '2', '3'], ['</a>', '</b>'], ['a', 'b'], ['']])
  assert.match(upstream.heads[0]!, /x-a: 1, 2\r\n/)
  assert.match(upstream.heads[0]!, /x-empty: \r\n/)
})

// Names of which a message has one; an upstream that sends more must not break the exchange.
test('passes on what should have come once and came twice', async (t) => {
  for (const name of ['Content-Type', 'ETag', 'Location', 'Server', 'Date', 'Last-Modified', 'Content-Encoding', 'Retry-After', 'Strict-Transport-Security', 'Proxy-Status', 'Server-Timing', 'WWW-Authenticate']) {
    for (const status of [200, 302, 503]) {
      const upstream = await rawOrigin(t, speak(`HTTP/1.1 ${status} X\r\n${name}: a/b\r\n${name}: c/d\r\nContent-Length: 2\r\n\r\nok`))
      const app = await start(t, { upstream: upstream.url, expose: true })

      const response = await raw(t, app.port, 'GET /x HTTP/1.1\r\nHost: x\r\n\r\n')

      assert.equal(response.status, status, name)
      assert.equal(response.body.toString(), 'ok', name)
      assert.deepEqual(values(response.rawHeaders, name).join(', ').split(', ').slice(0, 2), ['a/b', 'c/d'], name)
    }
  }
})

test('adds a Date where the upstream sent none, and keeps the one that it sent', async (t) => {
  const date = 'Thu, 01 Jan 2026 00:00:00 GMT'
  const upstream = await rawOrigin(t, speak((n) => `HTTP/1.1 200 OK\r\n${n === 1 ? '' : `Date: ${date}\r\n`}Content-Length: 0\r\n\r\n`))
  const app = await start(t, { upstream: upstream.url })

  assert.equal(values((await app.get('/x')).rawHeaders, 'date').length, 1)
  assert.deepEqual(values((await app.get('/x')).rawHeaders, 'date'), [date])
})

test('cookies that a client sends on several lines arrive as one', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)

  client.write('GET /x HTTP/1.1\r\nHost: x\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n')
  await client.response()

  assert.deepEqual(values(upstream.requests[0]!.rawHeaders, 'cookie'), ['a=1; b=2'])
})
