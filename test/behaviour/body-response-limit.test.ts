import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect, raw } from '../helpers/client.ts'
import { answer, drip, hang, origin, rawOrigin, speak } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

const limited = { body: { responseLimit: 1000 } }

test('answers 502 to a Content-Length over the responseLimit, before any of it is sent, and cancels the upstream', async (t) => {
  const upstream = await rawOrigin(t, speak(`HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n${'x'.repeat(500)}`))
  const app = await start(t, { upstream: upstream.url, ...limited })

  const response = await app.get('/x')

  assert.equal(response.status, 502)
  assert.equal(response.headers['proxy-status'], 'sluice; error=http_response_body_size')
  assert.equal((JSON.parse(response.body) as { code: string }).code, 'FST_SLUICE_HTTP_RESPONSE_BODY_SIZE')
  await upstream.closed(1)
  assert.equal(upstream.hits, 1)
  const line = await app.line()
  assert.deepEqual([line['status'], line['error'], line['upstreamStatus']], [502, 'http_response_body_size', 200])
})

test('answers 502 where a body without a length is over the responseLimit before its head went out', async (t) => {
  const upstream = await origin(t, answer(200, 'x'.repeat(1001), { 'transfer-encoding': 'chunked' }))
  const app = await start(t, { upstream: upstream.url, ...limited })

  assert.equal((await app.get('/x')).status, 502)
  await upstream.closed(1)
})

test('cuts the client off where a body that streams gets over the responseLimit, and cancels the upstream', async (t) => {
  const upstream = await origin(t, drip(['x'.repeat(600), 'y'.repeat(401), 'z'], 50))
  const app = await start(t, { upstream: upstream.url, ...limited })

  const response = await app.get('/x')

  assert.equal(response.status, 200)
  assert.equal(response.aborted, true)
  assert.ok(!response.body.includes('z'))
  await upstream.closed(1)
  assert.equal((await app.line())['error'], 'http_response_body_size')
})

test('passes a body of exactly the responseLimit, with either framing, and goes on with the connection', async (t) => {
  const upstream = await origin(t, answer(200, 'x'.repeat(1000)), answer(200, 'x'.repeat(1000), { 'transfer-encoding': 'chunked' }))
  const app = await start(t, { upstream: upstream.url, ...limited })

  assert.equal((await app.get('/x')).body.length, 1000)
  assert.equal((await app.get('/x')).body.length, 1000)
  assert.equal(upstream.connections, 1)
})

test('a length that tells of no body is within every limit: HEAD and 304', async (t) => {
  const upstream = await rawOrigin(t, speak((n) => n === 1 ? 'HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n' : 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5000\r\n\r\n'))
  const app = await start(t, { upstream: upstream.url, ...limited })

  assert.equal((await raw(t, app.port, 'HEAD /x HTTP/1.1\r\nHost: x\r\n\r\n')).headers['content-length'], '5000')
  assert.equal((await app.get('/x')).status, 304)
})

test('requestLimit refuses by Content-Length before an upstream is contacted, and while it streams, and the smaller of it and bodyLimit holds', async (t) => {
  const upstream = await origin(t, hang())
  const app = await start(t, { upstream: upstream.url, body: { requestLimit: 1000 }, bodyLimit: 2000 })

  assert.equal((await app.request('/x', { method: 'POST', body: 'x'.repeat(1001) })).status, 413)
  assert.equal(upstream.connections, 0)
  const client = await connect(t, app.port)
  client.write(`POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n${'x'.repeat(1000)}\r\n`)
  await upstream.until('1000 bytes', () => upstream.requests[0]?.bodyLength === 1000)
  client.write('1\r\nx\r\n')
  assert.equal((await client.response()).status, 413)
  await upstream.closed(1)
  assert.equal(upstream.requests[0]!.complete, false)
})

test('cookies of the upstream are rewritten, those of the app are not', async (t) => {
  const upstream = await origin(t, answer(200, 'ok', { 'set-cookie': ['a=b; Domain=x.internal; Path=/', 'c=d'] }))
  const app = await start(t, { upstream: upstream.url, cookies: { domain: 'example.com', path: { '/': '/shop/' }, secure: true, sameSite: 'lax' } }, {
    before: (fastify) => { fastify.addHook('onRequest', async (_request, reply) => { reply.header('set-cookie', 'own=1; Domain=x.internal') }) }
  })

  assert.deepEqual((await app.get('/x')).headers['set-cookie'], ['own=1; Domain=x.internal', 'a=b; Domain=example.com; Path=/shop/; Secure; SameSite=Lax', 'c=d; Secure; SameSite=Lax'])
})

test('a length of 2^64 is not passed on, not even of a body that does not come', async (t) => {
  const upstream = await rawOrigin(t, speak('HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 18446744073709551616\r\n\r\n'))
  const app = await start(t, { upstream: upstream.url })

  const response = await app.get('/x')

  assert.deepEqual([response.status, response.headers.etag, response.headers['content-length']], [304, '"x"', undefined])
})
