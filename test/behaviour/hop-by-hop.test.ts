import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { connect, raw, values, type RawResponse } from '../helpers/client.ts'
import { answer, origin, rawOrigin, speak } from '../helpers/origin.ts'
import { start, type Extra } from '../helpers/proxy.ts'
import type { ProxyOptions } from '../../types/index.ts'

/** The header lines that the upstream saw of a GET with these lines. */
async function sent (t: TestContext, lines: string, options: Partial<ProxyOptions> = {}, extra?: Extra): Promise<string[]> {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url, ...options } as ProxyOptions, extra)
  const response = await raw(t, app.port, `GET /x HTTP/1.1\r\nHost: client.example\r\n${lines}\r\n`)
  assert.equal(response.status, 200)
  return upstream.requests[0]!.rawHeaders
}

/** What the client got of a response with these lines. */
async function received (t: TestContext, lines: string): Promise<RawResponse> {
  const upstream = await rawOrigin(t, speak(`HTTP/1.1 200 OK\r\n${lines}Content-Length: 2\r\n\r\nok`))
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)
  client.write('GET /x HTTP/1.1\r\nHost: x\r\n\r\n')
  const first = await client.response()
  // Whatever the upstream says of its connection is nothing to the client's.
  client.write('GET /x HTTP/1.1\r\nHost: x\r\n\r\n')
  assert.equal((await client.response()).status, 200)
  assert.equal(first.body.toString(), 'ok')
  return first
}

const requestLines: readonly string[] = [
  'Keep-Alive: timeout=5', 'Proxy-Connection: keep-alive', 'Proxy-Authorization: Basic eDp5', 'Proxy-Authenticate: Basic',
  'Proxy-Whatever: 1', 'TE: gzip', 'Trailer: x-checksum', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABk', 'Alt-Svc: h2=":443"',
  'Expect: 100-continue'
]

test('drops what ends at this hop from a request, named in Connection or not', async (t) => {
  for (const line of requestLines) {
    const name = line.slice(0, line.indexOf(':'))
    for (const connection of ['', `Connection: ${name}\r\n`, 'Connection: keep-alive\r\n']) {
      const rawHeaders = await sent(t, `${line}\r\n${connection}X-Other: 1\r\n`)
      assert.deepEqual(values(rawHeaders, name), [], `${line} ${connection}`)
      assert.deepEqual(values(rawHeaders, 'x-other'), ['1'], line)
      assert.deepEqual(values(rawHeaders, 'connection').filter((value) => value !== 'keep-alive'), [], line)
    }
  }
})

test('drops the fields that a client nominates in Connection, on several lines, in any case, between empty items', async (t) => {
  const rawHeaders = await sent(t, 'x-a: 1\r\nX-B: 1\r\nX-c: 1\r\nx-d: 1\r\nConnection: X-A,, x-b ,\r\nConnection:\r\nconnection: close, x-C\r\n')

  assert.deepEqual(['x-a', 'x-b', 'x-c'].map((name) => values(rawHeaders, name)), [[], [], []])
  assert.deepEqual(values(rawHeaders, 'x-d'), ['1'])
})

test('keeps what the gateway itself adds, and what frames and addresses the message, whatever a client nominates', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url, host: 'original', headers: { request: { set: { 'x-gateway': 'ours' } } }, credentials: () => ({ 'x-user': 'ann' }) })

  const names = ['host', 'content-length', 'x-forwarded-for', 'x-forwarded-host', 'via', 'traceparent', 'x-gateway', 'x-user']
  await raw(t, app.port, `POST /x HTTP/1.1\r\nHost: client.example\r\nContent-Length: 2\r\nVia: 1.1 before\r\nX-User: eve\r\nConnection: ${names.join(', ')}\r\n\r\nok`)

  const { headers, body } = upstream.requests[0]!
  assert.equal(body.toString(), 'ok')
  assert.deepEqual([headers.host, headers['content-length'], headers['x-forwarded-for'], headers['x-forwarded-host']], ['client.example', '2', '127.0.0.1', 'client.example'])
  assert.match(headers.via!, /^1\.1 before, 1\.1 sluice/)
  assert.match(String(headers['traceparent']), /^00-/)
  assert.deepEqual([headers['x-gateway'], headers['x-user']], ['ours', 'ann'])
})

test('what a trusted peer says of the client survives its nomination', async (t) => {
  const rawHeaders = await sent(t, 'X-Forwarded-For: 192.0.2.1\r\nConnection: x-forwarded-for\r\n', {}, { fastify: { trustProxy: true } })

  assert.deepEqual(values(rawHeaders, 'x-forwarded-for'), ['192.0.2.1, 127.0.0.1'])
})

test('of TE only trailers travels on', async (t) => {
  assert.deepEqual(values(await sent(t, 'TE: gzip, Trailers;q=0.5\r\n'), 'te'), ['trailers'])
  assert.deepEqual(values(await sent(t, 'TE: deflate\r\n'), 'te'), [])
})

test('a request with both framings is never forwarded with both', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url })

  const response = await raw(t, app.port, 'POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n')

  assert.equal(response.status, 400)
  assert.equal(upstream.hits, 0)
})

const responseLines: readonly string[] = [
  'Keep-Alive: timeout=5', 'Proxy-Connection: keep-alive', 'Proxy-Authenticate: Basic', 'TE: trailers', 'Trailer: x-checksum',
  'Upgrade: h2c', 'HTTP2-Settings: AAMAAABk', 'Alt-Svc: h2=":443"'
]

test('drops what ends at this hop from a response, named in Connection or not', async (t) => {
  for (const line of responseLines) {
    const name = line.slice(0, line.indexOf(':'))
    for (const connection of ['', `Connection: ${name}\r\n`]) {
      const { rawHeaders } = await received(t, `${line}\r\n${connection}X-Other: 1\r\n`)
      // Node announces its own keep-alive.
      assert.deepEqual(values(rawHeaders, name).filter((value) => value !== 'timeout=72'), [], `${line} ${connection}`)
      assert.deepEqual(values(rawHeaders, 'x-other'), ['1'], line)
    }
  }
})

test('drops the fields that an upstream nominates in Connection, and keeps the connection to the client', async (t) => {
  const { rawHeaders } = await received(t, 'x-a: 1\r\nX-B: 1\r\nX-c: 1\r\nConnection: X-A,, x-b\r\nconnection: close\r\nx-d: 1\r\n')

  assert.deepEqual(['x-a', 'x-b'].map((name) => values(rawHeaders, name)), [[], []])
  assert.deepEqual(['x-c', 'x-d'].map((name) => values(rawHeaders, name)), [['1'], ['1']])
  assert.deepEqual(values(rawHeaders, 'connection').filter((value) => value !== 'keep-alive'), [])
})

test('an upstream cannot nominate the length of its response away', async (t) => {
  const { rawHeaders } = await received(t, 'Connection: content-length\r\n')

  assert.deepEqual(values(rawHeaders, 'content-length'), ['2'])
})

test('honours a client that closes, whatever the upstream says', async (t) => {
  const upstream = await origin(t, answer(200, 'ok', { connection: 'keep-alive' }))
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)

  client.write('GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')

  assert.equal((await client.response()).headers['connection'], 'close')
  assert.equal((await client.closed).clean, true)
  await app.get('/x')
  assert.equal(upstream.connections, 1)
})
