import assert from 'node:assert/strict'
import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import { test } from 'node:test'
import type { FastifyServerOptions } from 'fastify'
import { connect } from '../helpers/client.ts'
import { fairly } from '../helpers/fair.ts'
import { connectHttp2, http2Origin, reflect, reply, tlsHttp2Origin, type Http2Step } from '../helpers/http2.ts'
import { block, END_HEADERS, END_STREAM, frame, framesOrigin, uint32 } from '../helpers/frames.ts'
import { origin, answer, refusedPort, tlsOrigin } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'
import { ca, server as identity } from '../helpers/tls.ts'
import { eventually, onceRead } from '../helpers/until.ts'
import type { PoolOptions } from '../../types/index.ts'

const over2 = { http2: true } as FastifyServerOptions

function to (url: string | string[], pool: PoolOptions = {}): { endpoints: string[], pool: PoolOptions } {
  return { endpoints: [url].flat(), pool: { protocol: 'h2', ...pool } }
}

const hang: Http2Step = () => {}

test('a client of HTTP/1.1 reaches an upstream of HTTP/2 with prior knowledge', async (t) => {
  const upstream = await http2Origin(t, reflect())
  const proxy = await start(t, { upstream: to(upstream.url) })

  const response = await proxy.request('/a?b=c', {
    method: 'POST',
    // Node's client writes a head that a string follows as UTF-8.
    body: Buffer.from('hello'),
    headers: ['Connection', 'keep-alive, x-hop', 'X-Hop', '1', 'Keep-Alive', '5', 'X-Own', 'caf\u00e9', 'X-Own', 'b', 'Cookie', 'a=1; b=2', 'TE', 'trailers']
  })

  const seen = JSON.parse(response.body) as { headers: Record<string, string>, body: string }
  assert.equal(response.status, 200)
  assert.equal(seen.body, 'hello')
  assert.deepEqual([seen.headers[':method'], seen.headers[':path'], seen.headers[':scheme'], seen.headers[':authority']], ['POST', '/a?b=c', 'http', upstream.url.slice(7)])
  assert.equal(seen.headers['x-own'], 'caf\u00e9, b')
  assert.equal(seen.headers['cookie'], 'a=1; b=2')
  assert.equal(seen.headers['te'], 'trailers')
  for (const name of ['host', 'connection', 'x-hop', 'keep-alive', 'transfer-encoding']) assert.equal(seen.headers[name], undefined, name)
})

test('a client of HTTP/2 reaches an upstream of HTTP/2 over TLS, trailers both ways', async (t) => {
  const upstream = await tlsHttp2Origin(t, identity, reply(200, 'answer', { 'x-own': '1' }, { 'x-sum': '6' }))
  const proxy = await start(t, { upstream: to(upstream.url, { tls: { ca } }) }, { fastify: over2 })
  const client = await connectHttp2(t, proxy.url)

  const response = await client.request({ ':method': 'POST', ':path': '/' }, { body: 'question', trailers: { 'x-request-sum': '8', 'x-forwarded-for': '1' } })

  assert.deepEqual([response.status, response.body, response.headers['x-own'], response.complete], [200, 'answer', '1', true])
  assert.deepEqual(Object.entries(response.trailers), [['x-sum', '6']])
  const seen = upstream.requests[0]!
  assert.equal(seen.body.toString(), 'question')
  assert.deepEqual(Object.entries(seen.trailers), [['x-request-sum', '8']])
  assert.equal(seen.headers[':scheme'], 'https')
})

test('an upstream over TLS that does not speak HTTP/2 is not spoken to', async (t) => {
  const upstream = await tlsOrigin(t, identity, answer(200))
  const proxy = await start(t, { upstream: to(upstream.url, { tls: { ca } }) })

  const response = await proxy.get('/')

  assert.equal(response.status, 502)
  assert.match(JSON.parse(response.body).code, /^FST_SLUICE_TLS_(PROTOCOL_ERROR|ALERT_RECEIVED)$/)
  assert.equal(upstream.hits, 0)
})

test('an upstream that speaks HTTP/1.1 to prior knowledge is a protocol error', async (t) => {
  const upstream = await origin(t, answer(200))
  const proxy = await start(t, { upstream: to(upstream.url) })

  const response = await proxy.get('/')

  assert.equal(response.status, 502)
})

test('a certificate that is not trusted is refused', async (t) => {
  const upstream = await tlsHttp2Origin(t, identity, reply(200))
  const proxy = await start(t, { upstream: to(upstream.url) })

  assert.equal(JSON.parse((await proxy.get('/')).body).code, 'FST_SLUICE_TLS_CERTIFICATE_ERROR')
})

test('a refused connection is tried elsewhere', async (t) => {
  const upstream = await http2Origin(t, reply(200, 'ok'))
  const proxy = await start(t, { upstream: { ...to([`http://127.0.0.1:${await refusedPort()}`, upstream.url]), balancer: 'round-robin' } })

  assert.deepEqual([(await proxy.get('/')).body, (await proxy.get('/')).body], ['ok', 'ok'])
})

test('an upstream that two routes reach with different protocols has a pool for each', async (t) => {
  const upstream = await http2Origin(t, reply(200, 'ok'))
  const proxy = await start(t, {
    upstreams: { two: to(upstream.url), one: upstream.url },
    routes: [{ url: '/two', upstream: 'two' }, { url: '/one', upstream: 'one' }]
  })

  assert.equal((await proxy.get('/two')).status, 200)
  assert.equal((await proxy.get('/one')).status, 502)
  assert.equal((await proxy.get('/two')).status, 200)
})

test('requests at once share a connection, and what is above its limit opens another', async (t) => {
  let wanted = 20
  const held: ServerHttp2Stream[] = []
  const upstream = await http2Origin(t, (stream) => {
    held.push(stream)
    if (held.length < wanted) return
    for (const one of held.splice(0)) {
      one.respond({ ':status': 200 })
      one.end('ok')
    }
  })
  const proxy = await start(t, { upstream: to(upstream.url) })

  await Promise.all(Array.from({ length: wanted }, () => proxy.get('/')))
  assert.equal(upstream.sessions.length, 1)
  wanted = 110
  await Promise.all(Array.from({ length: wanted }, () => proxy.get('/')))

  assert.equal(upstream.sessions.length, 2)
})

test('no more requests at once than an upstream allows, and no more connections than the pool may have', async (t) => {
  let most = 0
  let now = 0
  const upstream = await http2Origin(t, (stream) => {
    most = Math.max(most, ++now)
    setTimeout(() => { now--; stream.respond({ ':status': 200 }); stream.end('ok') }, 20)
  })
  upstream.server.on('session', (session: ServerHttp2Session) => { session.settings({ maxConcurrentStreams: 2 }) })
  const proxy = await start(t, { upstream: to(upstream.url, { connections: 2 }) })
  await proxy.get('/')
  most = 0

  const responses = await Promise.all(Array.from({ length: 12 }, () => proxy.get('/')))

  assert.deepEqual(responses.map(({ status }) => status), Array(12).fill(200))
  assert.ok(upstream.sessions.length <= 2)
  assert.ok(most <= 6, `${most} at once`)
})

test('an idle connection is closed after keepAliveTimeout', async (t) => {
  const upstream = await http2Origin(t, reply(200, 'ok'))
  const proxy = await start(t, { upstream: to(upstream.url, { keepAliveTimeout: 50 }) })

  await proxy.get('/')

  await upstream.until('no connection', () => upstream.openSessions === 0)
})

for (const method of ['GET', 'POST']) {
  test(`a ${method} that is refused unseen (REFUSED_STREAM) is tried again`, async (t) => {
    const upstream = await http2Origin(t, (stream) => { stream.close(7) }, reply(200, 'ok'))
    const proxy = await start(t, { upstream: to(upstream.url) })

    const response = await proxy.request('/', { method })

    assert.deepEqual([response.status, response.body, upstream.requests.length], [200, 'ok', 2])
  })

  for (const code of [0, 2]) {
    test(`a ${method} that a GOAWAY (${code}) leaves out is tried again on another connection`, async (t) => {
      const upstream = await framesOrigin(t, ({ type, stream }, wire, index) => {
        if (type !== 'HEADERS') return
        if (index === 0) wire.write(frame('GOAWAY', 0, 0, uint32(0, code)))
        else wire.write(frame('HEADERS', END_HEADERS | END_STREAM, stream, block([[':status', '204']])))
      })
      const proxy = await start(t, { upstream: to(upstream.url) })

      const response = await proxy.request('/', { method })

      assert.deepEqual([response.status, upstream.wires.length], [204, 2])
    })
  }
}

test('an upload that is refused unseen is sent again from what was kept of it', async (t) => {
  const upstream = await http2Origin(t, (stream) => { stream.once('data', () => { stream.close(7) }) }, reflect())
  const proxy = await start(t, { upstream: to(upstream.url) })

  const response = await proxy.request('/', { method: 'POST', body: Buffer.from('hello') })

  assert.equal(response.status, 200)
  assert.equal(JSON.parse(response.body).body, 'hello')
})

test('a POST that was reset for another reason is not tried again', async (t) => {
  const upstream = await http2Origin(t, (stream) => { stream.close(2) }, reply(200, 'ok'))
  const proxy = await start(t, { upstream: to(upstream.url) })

  const response = await proxy.request('/', { method: 'POST' })

  assert.deepEqual([response.status, JSON.parse(response.body).code, upstream.requests.length], [502, 'FST_SLUICE_CONNECTION_TERMINATED', 1])
})

test('a request that an upstream has taken ends in peace after its GOAWAY, and the next goes elsewhere', async (t) => {
  const upstream = await http2Origin(t, (stream) => {
    stream.session!.close()
    setTimeout(() => { stream.respond({ ':status': 200 }); stream.end('old') }, 30)
  }, reply(200, 'new'))
  const proxy = await start(t, { upstream: to(upstream.url) })

  const first = proxy.get('/')
  await upstream.until('the first', () => upstream.requests.length === 1)
  await new Promise((resolve) => setTimeout(resolve, 10))
  const second = await proxy.get('/')

  assert.deepEqual([(await first).body, second.body], ['old', 'new'])
  assert.deepEqual(upstream.requests.map(({ session }) => session), [0, 1])
})

for (const code of [0, 2, 8]) {
  test(`a body that an upstream resets (${code}) is cut, never ended`, async (t) => {
    const upstream = await http2Origin(t, (stream) => {
      stream.respond({ ':status': 200 }, { waitForTrailers: true })
      stream.write('part', () => { onceRead(() => { stream.close(code) }) })
    })
    const proxy = await start(t, { upstream: to(upstream.url) })
    const proxy2 = await start(t, { upstream: to(upstream.url) }, { fastify: over2 })
    const client = await connectHttp2(t, proxy2.url)

    const one = await proxy.get('/')
    const two = await client.get('/')

    assert.deepEqual([one.body, one.aborted], ['part', true])
    assert.deepEqual([two.body, two.complete, two.rstCode], ['part', false, 2])
    assert.equal((await proxy.line()).error, 'http_response_incomplete')
  })
}

for (const [what, body] of [['no body', undefined], ['a small body', 'small'], ['a body that is still being sent', Buffer.alloc(1024 * 1024)]] as const) {
  for (const code of [0, 2]) {
    test(`a request with ${what} that an upstream resets (${code}) before its head is answered, and gives its stream back`, async (t) => {
      const upstream = await http2Origin(t, (stream) => { stream.close(code) }, reply(200, 'ok'))
      const proxy = await start(t, { upstream: to(upstream.url), defaults: { retry: false } })

      const response = await proxy.request('/', { method: 'POST', ...(body !== undefined && { body }) })
      assert.deepEqual([response.status, JSON.parse(response.body).code], [502, 'FST_SLUICE_CONNECTION_TERMINATED'])
      assert.equal((await proxy.get('/')).body, 'ok')
      await proxy.app.close()

      await upstream.until('no connection', () => upstream.openSessions === 0)
    })
  }
}

test('a client that leaves amid an answer that was reset (0) gives its stream back', async (t) => {
  const upstream = await http2Origin(t, (stream) => {
    stream.respond({ ':status': 200 }, { waitForTrailers: true })
    stream.write(Buffer.alloc(60_000), () => { onceRead(() => { stream.close(0) }) })
  })
  const proxy = await start(t, { upstream: to(upstream.url) })

  const client = await connect(t, proxy.port)
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await client.until('HTTP/1.1 200')
  client.socket.destroy()
  await proxy.line()
  await proxy.app.close()

  await upstream.until('no connection', () => upstream.openSessions === 0)
})

test('an answer that is reset (0) amid its upload is cut, and gives its stream back', async (t) => {
  // Takes no more of the upload than its window has.
  const upstream = await framesOrigin(t, ({ type, stream }, wire) => {
    if (type !== 'HEADERS') return
    wire.write(frame('HEADERS', END_HEADERS, stream, block([[':status', '200']])), frame('DATA', 0, stream, 'part'))
  })
  const proxy = await start(t, { upstream: to(upstream.url) })
  const client = await connect(t, proxy.port)
  client.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n${'a'.repeat(500_000)}`)
  await client.until('part')
  upstream.wires[0]!.write(frame('RST_STREAM', 0, 1, uint32(0)))

  assert.equal((await client.response()).complete, false)
  assert.equal((await proxy.line()).error, 'http_response_incomplete')
  await proxy.app.close()
  await eventually('no connection', () => upstream.wires.every(({ socket }) => socket.destroyed))
})

test('a connection that is lost in a body cuts it', async (t) => {
  const upstream = await http2Origin(t, (stream) => {
    stream.respond({ ':status': 200 })
    stream.write('part', () => { onceRead(() => { stream.session!.destroy() }) })
  })
  const proxy = await start(t, { upstream: to(upstream.url) })

  const response = await proxy.get('/')

  assert.deepEqual([response.body, response.aborted], ['part', true])
})

test('a client that leaves resets its stream alone', async (t) => {
  const upstream = await http2Origin(t, hang, reply(200, 'ok'))
  const proxy = await start(t, { upstream: to(upstream.url) })

  const client = await connect(t, proxy.port)
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await upstream.until('the request', () => upstream.requests.length === 1)
  client.socket.destroy()
  await upstream.until('a reset', () => upstream.requests[0]!.reset !== null)

  assert.equal(upstream.requests[0]!.reset, 8)
  assert.equal((await proxy.get('/')).body, 'ok')
  assert.equal(upstream.sessions.length, 1)
})

test('an upload that its client breaks off is reset, never ended', async (t) => {
  const upstream = await http2Origin(t, hang)
  const proxy = await start(t, { upstream: to(upstream.url) }, { fastify: over2 })
  const client = await connectHttp2(t, proxy.url)

  for (const code of [8, 0]) {
    const { stream } = client.open({ ':method': 'POST', ':path': '/' }, { open: true })
    stream.write('part')
    const n = code === 8 ? 1 : 2
    await upstream.until('the part', () => upstream.requests[n - 1]?.body.toString() === 'part')
    stream.close(code)
    await upstream.until('a reset', () => upstream.requests[n - 1]!.reset !== null)
    assert.deepEqual([upstream.requests[n - 1]!.complete, upstream.requests[n - 1]!.reset], [false, 8])
  }
})

test('HEAD, 204 and 304 have no body', async (t) => {
  const upstream = await http2Origin(t, (stream, headers) => {
    const status = Number((headers[':path'] as string).slice(1))
    stream.respond({ ':status': status, ...(status !== 204 && { 'content-length': 10 }), etag: '"1"' }, { endStream: true })
  })
  const proxy = await start(t, { upstream: to(upstream.url) })

  const head = await proxy.request('/200', { method: 'HEAD' })
  assert.deepEqual([head.status, head.headers['content-length'], head.body], [200, '10', ''])
  for (const status of [204, 304]) {
    const response = await proxy.get(`/${status}`)
    assert.deepEqual([response.status, response.body, response.headers.etag, response.aborted], [status, '', '"1"', false])
  }
})

test('an answer that comes before the upload has ended goes out, and the upload is given up', async (t) => {
  const upstream = await http2Origin(t, (stream) => { stream.respond({ ':status': 413 }); stream.end('too much') })
  const proxy = await start(t, { upstream: to(upstream.url) }, { fastify: over2 })
  const client = await connectHttp2(t, proxy.url)

  const { stream, response } = client.open({ ':method': 'POST', ':path': '/' }, { open: true })
  stream.write('part')
  stream.once('end', () => { stream.close() })

  assert.deepEqual([(await response).status, (await response).body], [413, 'too much'])
  await upstream.until('a reset', () => upstream.requests[0]!.reset !== null)
})

test('1xx heads are relayed, but for 100, which is ours to say', async (t) => {
  const upstream = await http2Origin(t, (stream) => {
    stream.additionalHeaders({ ':status': 100 })
    stream.additionalHeaders({ ':status': 103, link: '</a.css>' })
    stream.respond({ ':status': 200 })
    stream.end('ok')
  })
  const proxy = await start(t, { upstream: to(upstream.url) })
  const client = await connect(t, proxy.port)
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  const response = await client.response()

  assert.deepEqual(response.informational.map(({ status, headers }) => [status, headers['link']]), [[103, '</a.css>']])
  assert.equal(response.body.toString(), 'ok')
})

test('an upstream that does not answer in time is reset, and asked whether it is still there', (t) => fairly(20, async () => {
  const upstream = await http2Origin(t, hang, reply(200, 'ok'))
  let pings = 0
  upstream.server.on('session', (session: ServerHttp2Session) => { session.on('ping', () => { pings++; upstream.bell.ring() }) })
  const proxy = await start(t, { upstream: to(upstream.url), timeouts: { head: 60 } })

  const response = await proxy.get('/')

  assert.equal(response.status, 504)
  await upstream.until('a ping', () => pings === 1)
  assert.equal((await proxy.get('/')).body, 'ok')
}))

test('OPTIONS * is said as such', async (t) => {
  const upstream = await http2Origin(t, reflect())
  const proxy = await start(t, { upstream: to(upstream.url) })
  const client = await connect(t, proxy.port)
  client.write('OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n')

  assert.equal(JSON.parse((await client.response()).body.toString()).headers[':path'], '*')
})

test('a client that reads slowly holds its upstream back, and nobody else', async (t) => {
  let written = 0
  const upstream = await http2Origin(t, (stream, headers) => {
    if (headers[':path'] !== '/large') {
      stream.respond({ ':status': 200 })
      stream.end('ok')
      return
    }
    stream.respond({ ':status': 200 })
    const chunk = Buffer.alloc(64 * 1024)
    function more (): void {
      while (written < 64 * 1024 * 1024) {
        written += chunk.length
        if (!stream.write(chunk)) {
          stream.once('drain', more)
          return
        }
      }
    }
    more()
  })
  const proxy = await start(t, { upstream: to(upstream.url) })
  const client = await connect(t, proxy.port, { keep: false })
  client.socket.pause()
  client.write('GET /large HTTP/1.1\r\nHost: a\r\n\r\n')
  await upstream.until('some of it', () => upstream.requests.length === 1 && written > 0)

  let before = -1
  while (before !== written) {
    before = written
    await new Promise((resolve) => setTimeout(resolve, 100))
  }

  assert.ok(written < 32 * 1024 * 1024, `${written} bytes were taken`)
  assert.equal((await proxy.get('/small')).body, 'ok')
})

test('closing the app closes the connections', async (t) => {
  const upstream = await http2Origin(t, reply(200, 'ok'))
  const proxy = await start(t, { upstream: to(upstream.url) })
  await proxy.get('/')

  await proxy.app.close()

  await upstream.until('no connection', () => upstream.openSessions === 0)
})
