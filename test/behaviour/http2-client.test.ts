import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FastifyServerOptions } from 'fastify'
import { answer, cutBody, drip, echo, hang, origin, type Echo } from '../helpers/origin.ts'
import { block, connectFrames, END_HEADERS, END_STREAM, frame, uint32 } from '../helpers/frames.ts'
import { connectHttp2 } from '../helpers/http2.ts'
import { start } from '../helpers/proxy.ts'
import { request } from '../helpers/client.ts'
import { server as identity, ca } from '../helpers/tls.ts'
import { eventually } from '../helpers/until.ts'

const http2 = { http2: true } as FastifyServerOptions

test('a client of HTTP/2 reaches an upstream of HTTP/1.1, which sees its authority as a host and its cookies as one field', async (t) => {
  const upstream = await origin(t, echo())
  const proxy = await start(t, { upstream: upstream.url, host: 'original' }, { fastify: http2 })
  const client = await connectHttp2(t, proxy.url)

  const response = await client.request({ ':path': '/a?b=c', cookie: ['a=1', 'b=2'], 'x-own': 'caf\u00e9', te: 'trailers' })

  const seen = JSON.parse(response.body) as Echo
  assert.equal(response.status, 200)
  assert.equal(response.complete, true)
  assert.equal(seen.url, '/a?b=c')
  assert.equal(seen.headers.host, `127.0.0.1:${proxy.port}`)
  assert.equal(seen.headers.cookie, 'a=1; b=2')
  assert.equal(seen.headers['x-own'], 'caf\u00e9')
  assert.equal(seen.headers['x-forwarded-host'], `127.0.0.1:${proxy.port}`)
  assert.match(String(seen.headers.via), /^2\.0 sluice/)
  assert.deepEqual(Object.keys(seen.headers).filter((name) => name.startsWith(':')), [])
})

test('over TLS a client chooses HTTP/2 or HTTP/1.1, and both are served', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const proxy = await start(t, { upstream: upstream.url }, { fastify: { http2: true, https: { ...identity, allowHTTP1: true } } as never })

  const client = await connectHttp2(t, `https://localhost:${proxy.port}`)
  const over2 = await client.get('/')
  const over1 = await request(`https://localhost:${proxy.port}/`, { ca })

  assert.deepEqual([over2.body, over1.body], ['ok', 'ok'])
})

for (const length of [undefined, 5]) {
  test(`a body arrives at an upstream of HTTP/1.1 ${length === undefined ? 'in chunks' : 'with its length'}`, async (t) => {
    const upstream = await origin(t, echo())
    const proxy = await start(t, { upstream: upstream.url }, { fastify: http2 })
    const client = await connectHttp2(t, proxy.url)

    for (const method of ['POST', 'GET', 'DELETE']) {
      const response = await client.request({ ':method': method, ':path': '/', ...(length !== undefined && { 'content-length': length }) }, { body: 'hello' })
      const seen = JSON.parse(response.body) as Echo
      assert.equal(seen.body, 'hello')
      assert.equal(seen.headers['content-length'], length === undefined ? undefined : '5')
      assert.equal(seen.headers['transfer-encoding'], length === undefined ? 'chunked' : undefined)
    }
  })
}

test('what belongs to a connection of HTTP/1.1 does not reach a client of HTTP/2', async (t) => {
  const upstream = await origin(t, answer(200, 'ok', { connection: 'close, x-hop', 'keep-alive': 'timeout=5', 'x-hop': '1', 'x-end': '2', 'set-cookie': ['a=1', 'b=2'] }))
  const proxy = await start(t, { upstream: upstream.url }, { fastify: http2 })
  const client = await connectHttp2(t, proxy.url)

  const { headers } = await client.get('/')

  for (const name of ['connection', 'keep-alive', 'x-hop', 'transfer-encoding']) assert.equal(headers[name], undefined, name)
  assert.equal(headers['x-end'], '2')
  assert.deepEqual(headers['set-cookie'], ['a=1', 'b=2'])
})

test('a field that Node sends once only, and an upstream sent twice, arrives as a list', async (t) => {
  const upstream = await origin(t, answer(200, 'ok', ['Content-Length', '2', 'Retry-After', '1', 'Retry-After', '2', 'X-Own', 'a', 'X-Own', 'b']))
  const proxy = await start(t, { upstream: upstream.url }, { fastify: http2 })
  const client = await connectHttp2(t, proxy.url)

  const { status, headers } = await client.get('/')

  assert.equal(status, 200)
  assert.equal(headers['retry-after'], '1, 2')
  assert.equal(headers['x-own'], 'a, b')
})

for (const status of [204, 304]) {
  test(`${status} ends with its head`, async (t) => {
    const upstream = await origin(t, answer(status, '', { etag: '"1"' }))
    const proxy = await start(t, { upstream: upstream.url }, { fastify: http2 })
    const client = await connectHttp2(t, proxy.url)

    const response = await client.get('/')

    assert.deepEqual([response.status, response.headOnly, response.headers.etag], [status, true, '"1"'])
  })
}

test('HEAD has the length of its GET and no body', async (t) => {
  const upstream = await origin(t, answer(200, '', { 'content-length': '1234' }))
  const proxy = await start(t, { upstream: upstream.url }, { fastify: http2 })
  const client = await connectHttp2(t, proxy.url)

  const response = await client.request({ ':method': 'HEAD', ':path': '/' })

  assert.deepEqual([response.status, response.headers['content-length'], response.body, response.complete], [200, '1234', '', true])
})

test('a stream goes out piece by piece, its head first', async (t) => {
  const upstream = await origin(t, drip(['one', 'two', 'three'], 20, { 'content-type': 'text/event-stream; charset=utf-8' }))
  const proxy = await start(t, { upstream: upstream.url }, { fastify: http2 })
  const client = await connectHttp2(t, proxy.url)

  const { stream, response } = client.open({ ':path': '/' })
  const pieces: string[] = []
  stream.on('data', (chunk: Buffer) => pieces.push(chunk.toString()))

  assert.equal((await response).body, 'onetwothree')
  assert.deepEqual(pieces, ['one', 'two', 'three'])
})

test('103 reaches the client before the answer', async (t) => {
  const upstream = await origin(t, (_req, res) => {
    res.writeEarlyHints({ link: '</style.css>; rel=preload' }, () => { res.end('ok') })
  })
  const proxy = await start(t, { upstream: upstream.url }, { fastify: http2 })
  const client = await connectHttp2(t, proxy.url)

  const response = await client.get('/')

  assert.deepEqual(response.informational.map((head) => [head[':status'], head['link']]), [[103, '</style.css>; rel=preload']])
  assert.equal(response.body, 'ok')
})

for (const how of ['close', 'reset'] as const) {
  test(`a body that an upstream cuts (${how}) is a reset, never an end`, async (t) => {
    const upstream = await origin(t, cutBody(1000, 10, how))
    const proxy = await start(t, { upstream: upstream.url }, { fastify: http2 })
    const client = await connectHttp2(t, proxy.url)

    const response = await client.get('/')

    assert.equal(response.complete, false)
    assert.equal(response.rstCode, 2)
    assert.equal((await proxy.line()).error, 'http_response_incomplete')
  })
}

test('a client that cancels frees the connection to the upstream, and others on its own go on', async (t) => {
  const upstream = await origin(t, hang(), answer(200, 'ok'))
  const proxy = await start(t, { upstream: upstream.url }, { fastify: http2 })
  const client = await connectHttp2(t, proxy.url)

  const { stream } = client.open({ ':path': '/' })
  await upstream.arrived(1)
  stream.close(8)
  await upstream.until('the connection to be closed', () => upstream.requests[0]!.aborted)
  const line = await proxy.line()

  assert.equal(line.error, 'client_closed_request')
  assert.equal((await client.get('/')).body, 'ok')
})

test('a HEAD that is cancelled frees the connection to the upstream', async (t) => {
  const upstream = await origin(t, hang())
  const proxy = await start(t, { upstream: upstream.url }, { fastify: http2 })
  const client = await connectHttp2(t, proxy.url)

  const { stream } = client.open({ ':method': 'HEAD', ':path': '/' })
  await upstream.arrived(1)
  stream.close(8)

  await upstream.until('the connection to be closed', () => upstream.requests[0]!.aborted)
  assert.equal((await proxy.line()).error, 'client_closed_request')
})

for (const code of [0, 8]) {
  test(`an upload that its client resets with ${code} never arrives whole`, async (t) => {
    const upstream = await origin(t, hang())
    const proxy = await start(t, { upstream: upstream.url }, { fastify: http2 })
    const client = await connectHttp2(t, proxy.url)

    const { stream } = client.open({ ':method': 'POST', ':path': '/' }, { open: true })
    stream.write('part')
    await upstream.until('part of the body', () => upstream.requests[0]?.bodyLength === 4)
    stream.close(code)
    await upstream.idle()

    assert.equal(upstream.requests[0]!.complete, false)
  })
}

for (const [what, step, shown] of [
  ['an answer that is all written', answer(200, Buffer.alloc(120_000)), true],
  ['an answer that still comes', drip([Buffer.alloc(120_000), 'more'], 60_000), true],
  ['no answer yet', hang(), false]
] as const) {
  for (const code of [0, 8]) {
    test(`a client that resets (${code}) with ${what} is let go, and so is its connection`, async (t) => {
      const upstream = await origin(t, step)
      const proxy = await start(t, { upstream: upstream.url }, { fastify: http2 })
      const wire = await connectFrames(t, proxy.port)
      wire.write(frame('HEADERS', END_HEADERS | END_STREAM, 1, block([[':method', 'GET'], [':path', '/'], [':scheme', 'http'], [':authority', 'a']])))
      await upstream.arrived(1)
      // As much as the client's window takes.
      if (shown) await eventually('the body', () => wire.frames.reduce((sum, { type, payload }) => type === 'DATA' ? sum + payload.length : sum, 0) >= 65_535)

      wire.write(frame('RST_STREAM', 0, 1, uint32(code)))

      assert.equal((await proxy.line()).error, 'client_closed_request')
      await proxy.app.close()
    })
  }
}

test('our own errors are answers as over HTTP/1.1', async (t) => {
  const upstream = await origin(t, answer(200))
  await upstream.close()
  const proxy = await start(t, { upstream: upstream.url }, { fastify: http2 })
  const client = await connectHttp2(t, proxy.url)

  const response = await client.get('/')

  assert.equal(response.status, 502)
  assert.equal(JSON.parse(response.body).code, 'FST_SLUICE_CONNECTION_REFUSED')
  assert.equal(response.headers['connection'], undefined)
})

test('trailers of an upstream reach the client', async (t) => {
  const upstream = await origin(t, (_req, res) => {
    res.writeHead(200, { trailer: 'x-sum' })
    res.write('body')
    res.addTrailers({ 'x-sum': '4', host: 'other.test' })
    res.end()
  })
  const proxy = await start(t, { upstream: upstream.url }, { fastify: http2 })
  const client = await connectHttp2(t, proxy.url)

  const response = await client.get('/')

  assert.equal(response.body, 'body')
  assert.deepEqual(Object.entries(response.trailers), [['x-sum', '4']])
})
