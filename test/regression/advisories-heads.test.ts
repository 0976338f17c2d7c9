import assert from 'node:assert/strict'
import test from 'node:test'
import { connect, raw, values } from '../helpers/client.ts'
import { answer, echo, origin, rawOrigin, speak, type Echo } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

/* Advisories about header fields, framing and connections. */

const get = 'GET /x HTTP/1.1\r\nHost: x\r\n\r\n'

test('GHSA-79qm-7rj5-m7r9 (Hono): what an upstream names in Connection stays at this hop, 1xx heads included', async (t) => {
  const upstream = await rawOrigin(t, speak('HTTP/1.1 103 Early Hints\r\nConnection: x-secret\r\nX-Secret: 1\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nConnection: close, X-Secret\r\nX-Secret: 1\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nok'))
  const app = await start(t, { upstream: upstream.url })

  const { informational, headers } = await raw(t, app.port, get)

  assert.deepEqual([informational[0]!.rawHeaders, headers['x-secret'], headers['connection']], [['link', '</a>'], undefined, 'keep-alive'])
})

test('CVE-2026-3635 (fastify 5.8.3): a peer that is not trusted says neither host, protocol nor address of the client', async (t) => {
  const upstream = await origin(t, echo())
  const app = await start(t, { upstream: upstream.url, forwarded: 'both' }, { fastify: { trustProxy: '10.0.0.0/8' } })

  const { body } = await raw(t, app.port, 'GET /x HTTP/1.1\r\nHost: own.example\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Proto: https\r\nForwarded: for=1.1.1.1;proto=https\r\n\r\n')

  const { headers } = JSON.parse(body.toString()) as Echo
  assert.deepEqual([headers['x-forwarded-for'], headers['x-forwarded-host'], headers['x-forwarded-proto'], headers['forwarded']], ['127.0.0.1', 'own.example', 'http', 'for=127.0.0.1;host=own.example;proto=http'])
})

test('CVE-2026-92395 (@fastify/proxy-addr 5.1.1): trusting an IPv4 network in IPv6 dress does not trust everybody', async (t) => {
  const upstream = await origin(t, echo())
  const app = await start(t, { upstream: upstream.url }, { fastify: { trustProxy: '::ffff:10.0.0.0/104' } })

  const { body } = await raw(t, app.port, 'GET /x HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n')

  assert.equal((JSON.parse(body.toString()) as Echo).headers['x-forwarded-for'], '127.0.0.1')
})

test('CVE-2026-1525 GHSA-2mjp-6q6p-2qxm (undici 7.24.0): names in two cases, and lists of values, are one field to the upstream, which frames nothing', async (t) => {
  const upstream = await origin(t, echo())
  const app = await start(t, {
    upstream: upstream.url,
    headers: { request: { set: { 'X-Set': 'ours' }, append: { 'X-LIST': 'c' } } },
    onProxyRequest: (head) => { head.headers['x-many'] = ['a', 'b'] }
  })

  await raw(t, app.port, 'POST /x HTTP/1.1\r\nHost: x\r\nX-Set: 1\r\nx-set: 2\r\nX-List: a\r\nx-LIST: b\r\nContent-Length: 4\r\n\r\nbody')

  const { rawHeaders } = upstream.requests[0]!
  assert.deepEqual([values(rawHeaders, 'x-set'), values(rawHeaders, 'x-list').join(', '), values(rawHeaders, 'x-many'), values(rawHeaders, 'content-length'), values(rawHeaders, 'host').length], [['ours'], 'a, b, c', ['a', 'b'], ['4'], 1])
})

test('CVE-2026-1527 GHSA-4992-7rv2-5pvq (undici 7.24.0): no field of a client or a transform writes a line of its own', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, {
    upstream: upstream.url,
    onProxyRequest: (head, { request }) => { if (request.headers['x-do'] !== undefined) head.headers['x-made'] = 'a\r\nX-Injected: 1' }
  })

  assert.equal((await raw(t, app.port, 'GET /x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: a\tb\r\n\r\n')).status, 200)
  assert.equal((await raw(t, app.port, 'GET /x HTTP/1.1\r\nHost: x\r\nX-Do: 1\r\n\r\n')).status >= 400, true)
  assert.deepEqual(upstream.requests.map(({ headers }) => [headers['upgrade'], headers['x-injected']]), [[undefined, undefined]])
})

test('CVE-2026-6733 GHSA-35p6-xmwp-9g52 (undici 7.28.0): an answer that comes before it is asked for is nobody’s answer', async (t) => {
  const evil = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'
  const upstream = await rawOrigin(t, speak((n) => `HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n${n}`))
  const app = await start(t, { upstream: upstream.url })

  for (let turn = 1; turn <= 5; turn++) {
    assert.equal((await app.get('/x')).body, String(turn))
    // Onto the connection that waits for its next request.
    for (const socket of upstream.sockets.keys()) socket.write(evil)
    await upstream.closed(turn)
  }
  assert.equal(upstream.connections, 5)
})

test('CVE-2026-6734 GHSA-hm92-r4w5-c3mj (undici 7.28.0), CVE-2026-16158: two origins never share a connection', async (t) => {
  const one = await origin(t, answer(200, 'one'))
  const two = await origin(t, answer(200, 'two'))
  const app = await start(t, { routes: [{ url: '/one', upstream: one.url }, { url: '/two', upstream: two.url }] })

  for (let turn = 0; turn < 5; turn++) assert.deepEqual([(await app.get('/one')).body, (await app.get('/two')).body], ['one', 'two'])
  assert.deepEqual([one.connections, two.connections], [1, 1])
})

test('CVE-2023-39326, chunk extensions: a body that is mostly extensions is refused, however it is cut', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url })

  const { status } = await raw(t, app.port, `POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${`1;${'a'.repeat(2000)}\r\na\r\n`.repeat(300)}0\r\n\r\n`)

  assert.equal(status, 400)
  assert.ok(!upstream.requests.some(({ complete }) => complete))
})

test('CVE-2024-24791 (Go): behind an Expect that was not met, neither connection is used again', async (t) => {
  const upstream = await origin(t, (_req, res) => { res.writeHead(200, { 'content-length': 2 }).end('no') }, answer(200, 'next'))
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)

  client.write('POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n')
  await client.until('100 Continue')
  // Half of the body, and then the answer: what follows on this connection could be either.
  client.write('x'.repeat(500))
  assert.equal((await client.response()).headers['connection'], 'close')
  await upstream.closed(1)
  assert.equal((await app.get('/x')).body, 'next')
  assert.equal(upstream.connections, 2)
})

test('GHSA-8xcm-r25x-g524 (undici 7.29.0): an answer that broke off is not pieced together from another', async (t) => {
  const upstream = await rawOrigin(t, async (socket, index) => {
    await speak('HTTP/1.1 200 OK\r\nETag: "a"\r\nAccept-Ranges: bytes\r\nContent-Length: 10\r\n\r\nhalf')(socket, index)
  })
  const app = await start(t, { upstream: upstream.url, timeouts: { idle: 200 } })

  const { complete, body } = await raw(t, app.port, get)

  assert.deepEqual([complete, body.toString(), upstream.hits], [false, 'half', 1])
})

test('GHSA-4cwx-7wf7-3272, GHSA-jr45-8vmc-qm54, GHSA-m8rv-5g2x-5cg5 (undici cache): nothing is kept of one answer for another request', async (t) => {
  const upstream = await origin(t, (_req, res, n) => { res.writeHead(200, { 'cache-control': 'public, max-age=3600', etag: '"a"' }).end(String(n)) })
  const app = await start(t, { upstream: upstream.url })

  assert.deepEqual([(await app.get('/x', { authorization: 'a' })).body, (await app.get('/x', { authorization: 'b' })).body, (await app.get('/x')).body], ['1', '2', '3'])
})

test('CVE-2026-2581 GHSA-phc3-fgpg-7m6h (undici dedupe): equal requests at once are requests of their own', async (t) => {
  const upstream = await origin(t, (_req, res, n) => { setTimeout(() => res.end(String(n)), 30) })
  const app = await start(t, { upstream: upstream.url })

  const bodies = await Promise.all(Array.from({ length: 5 }, async () => (await app.get('/x')).body))

  assert.deepEqual(bodies.sort(), ['1', '2', '3', '4', '5'])
})
