import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import type { FastifyServerOptions } from 'fastify'
import { connectHttp2 } from '../helpers/http2.ts'
import { connect, values, type RawResponse } from '../helpers/client.ts'
import { rawOrigin, speak } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

/**
 * The client's view of a response with this head, which is all that the upstream sends; a second request on both connections proves
 * that neither side waits for a body, or takes one for a head.
 */
async function bodyless (t: TestContext, head: string, method: string = 'GET'): Promise<RawResponse> {
  const upstream = await rawOrigin(t, speak((n) => n === 1 ? `HTTP/1.1 ${head}\r\n` : 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext'))
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)
  client.write(`${method} /x HTTP/1.1\r\nHost: x\r\n\r\nGET /next HTTP/1.1\r\nHost: x\r\n\r\n`)

  const response = await client.response({ head: method === 'HEAD' })
  const next = await client.response()

  assert.equal(next.body.toString(), 'next')
  return response
}

// What the head of a response without a body says of its length is the upstream's to say.
const kept: readonly (readonly [head: string, method: string, length: string[]])[] = [
  ['200 OK\r\nContent-Length: 1234\r\nContent-Type: text/plain\r\n', 'HEAD', ['1234']],
  ['200 OK\r\nContent-Length: 0\r\n', 'HEAD', ['0']],
  ['200 OK\r\nContent-Type: text/plain\r\n', 'HEAD', []],
  ['200 OK\r\nTransfer-Encoding: chunked\r\n', 'HEAD', []],
  ['404 Not Found\r\nContent-Length: 9\r\n', 'HEAD', ['9']],
  ['304 Not Modified\r\nContent-Length: 1234\r\nETag: "a"\r\n', 'GET', ['1234']],
  ['304 Not Modified\r\nETag: "a"\r\n', 'GET', []],
  ['304 Not Modified\r\nContent-Length: 1234\r\nContent-Type: text/plain\r\n', 'HEAD', ['1234']],
  ['204 No Content\r\n', 'GET', []],
  ['204 No Content\r\nContent-Length: 0\r\n', 'GET', []],
  ['204 No Content\r\nETag: "a"\r\n', 'DELETE', []],
  ['205 Reset Content\r\nContent-Length: 0\r\n', 'POST', ['0']],
  ['200 OK\r\nContent-Length: 0\r\nContent-Type: text/plain\r\n', 'GET', ['0']],
  ['302 Found\r\nLocation: /a\r\nContent-Length: 0\r\n', 'GET', ['0']]
]

for (const [head, method, length] of kept) {
  const [status = '', ...fields] = head.trimEnd().split('\r\n')
  test(`${method} answered with ${status} and ${fields.length === 0 ? 'no field' : fields.join(', ')} stays whole`, async (t) => {
    const response = await bodyless(t, head, method)

    assert.equal(response.status, Number(status.slice(0, 3)))
    assert.deepEqual(values(response.rawHeaders, 'content-length'), length)
    assert.equal(response.body.length, 0)
    for (const field of fields.filter((field) => /^(?:ETag|Location|Content-Type)/.test(field))) {
      const [name = '', value = ''] = field.split(': ')
      assert.deepEqual(values(response.rawHeaders, name), [value])
    }
  })
}

test('HEAD does not cost the upstream its connection', async (t) => {
  const upstream = await rawOrigin(t, speak('HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n'))
  const app = await start(t, { upstream: upstream.url })

  for (let count = 0; count < 5; count++) assert.equal((await app.request('/x', { method: 'HEAD' })).headers['content-length'], '1234')

  assert.equal(upstream.connections, 1)
})

// A status is the upstream's to choose; those that Node or Fastify treat in their own way among them.
test('passes on every final status', async (t) => {
  const statuses = [200, 201, 202, 203, 206, 207, 226, 299, 300, 301, 303, 307, 308, 399, 400, 401, 404, 405, 407, 408, 409, 410, 412, 413, 416, 417, 418, 421, 425, 429, 431, 451, 499, 500, 501, 502, 503, 504, 511, 599, 600, 700, 999]
  const upstream = await rawOrigin(t, speak((n) => `HTTP/1.1 ${statuses[n - 1]} X\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok`))
  const app = await start(t, { upstream: upstream.url })

  for (const status of statuses) {
    const response = await app.get('/x')
    assert.deepEqual([response.status, response.body], [status, 'ok'])
  }
  assert.equal(upstream.hits, statuses.length, 'and tries none of them again')
})

test('a status above 599, which HTTP/2 has no way to say in Node, is 502 to its clients', async (t) => {
  const upstream = await rawOrigin(t, speak((n) => `HTTP/1.1 ${[600, 999, 599][n - 1]} X\r\nContent-Length: 2\r\n\r\nok`))
  const app = await start(t, { upstream: upstream.url }, { fastify: { http2: true } as FastifyServerOptions })
  const client = await connectHttp2(t, app.url)

  assert.deepEqual([(await client.get('/x')).status, (await client.get('/x')).status, (await client.get('/x')).status], [502, 502, 599])
  assert.deepEqual([(await app.line())['error'], (await app.line())['error']], ['http_protocol_error', 'http_protocol_error'])
})
