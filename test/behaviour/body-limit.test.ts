import assert from 'node:assert/strict'
import test from 'node:test'
import { connect } from '../helpers/client.ts'
import { answer, origin } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

const limited = { bodyLimit: 1000 }

test('refuses a body whose content-length is over the bodyLimit before any upstream is contacted', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url, ...limited })

  const response = await app.request('/x', { method: 'POST', body: 'x'.repeat(1001) })

  assert.equal(response.status, 413)
  assert.equal((JSON.parse(response.body) as { code: string }).code, 'FST_SLUICE_HTTP_REQUEST_ERROR')
  assert.equal(upstream.connections, 0)
  assert.equal((await app.line())['error'], 'http_request_error')
})

test('answers 413 to a chunked body once it is over the bodyLimit, and the upstream never takes it for whole', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url, ...limited })
  const client = await connect(t, app.port)

  client.write('POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n')
  client.write(`3e8\r\n${'x'.repeat(1000)}\r\n`)
  await upstream.until('1000 bytes', () => upstream.requests[0]?.bodyLength === 1000)
  client.write('1\r\nx\r\n')
  const response = await client.response()

  assert.equal(response.status, 413)
  assert.equal(response.headers['connection'], 'close')
  await upstream.closed(1)
  assert.equal(upstream.requests[0]!.complete, false)
  assert.equal((await app.line())['status'], 413)
})

test('takes a body of exactly the bodyLimit, with either framing', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url, ...limited })

  assert.equal((await app.request('/x', { method: 'POST', body: 'x'.repeat(1000) })).status, 200)
  assert.equal((await app.request('/x', { method: 'POST', body: ['x'.repeat(500), 'x'.repeat(500)] })).status, 200)
  assert.deepEqual(upstream.requests.map(({ bodyLength }) => bodyLength), [1000, 1000])
})

test('knows no limit without one of the route, whatever the app says of bodies that it parses', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url }, { fastify: { bodyLimit: 100 } })

  for (const type of ['application/json', 'text/plain', 'application/octet-stream']) {
    assert.equal((await app.request('/x', { method: 'POST', body: 'x'.repeat(5000), headers: { 'content-type': type } })).status, 200, type)
  }
  assert.deepEqual(upstream.requests.map(({ bodyLength }) => bodyLength), [5000, 5000, 5000])
})
