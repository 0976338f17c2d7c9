import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import test from 'node:test'
import { connect, raw, values } from '../helpers/client.ts'
import { answer, echo, origin, type Echo } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))

// Content type and body, of which the app's own parsers would refuse or change several.
const bodies: readonly (readonly [type: string | undefined, body: string | Buffer])[] = [
  ['application/json', '{"a":1}'],
  ['application/json', '{ "a" : 1e2 , "a": "\\u0041" }\n'],
  ['application/json', '{"broken": '],
  ['application/json', '{"__proto__": {"a": 1}}'],
  ['application/json', '\ufeff{}'],
  ['application/json; charset=latin1', Buffer.from([0x22, 0xe9, 0x22])],
  ['application/problem+json', 'no'],
  ['application/x-www-form-urlencoded', 'a=1&b=%20+&a=2&c'],
  ['multipart/form-data; boundary="x y"', '--x y\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n\x00\r\n--x y--\r\n'],
  ['text/plain', 'text'],
  ['text/plain; charset=utf-16', Buffer.from('ä', 'utf16le')],
  ['TEXT/HTML;level=1', '<p>'],
  ['application/octet-stream', bytes],
  ['application/grpc+proto', bytes],
  ['application/vnd.api+json; ext="https://jsonapi.org/ext/atomic"', '{}'],
  ['image/png', bytes],
  [undefined, 'no type'],
  [undefined, bytes]
]

test('forwards bodies of every content type untouched', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url })

  for (const [type, body] of bodies) {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      // As raw pairs: only then does Node frame the body of a DELETE.
      const response = await app.request('/x', { method, body, headers: type === undefined ? [] : ['Content-Type', type] })
      const seen = upstream.requests.at(-1)!
      const what = `${method} ${type}`
      assert.equal(response.status, 200, what)
      assert.deepEqual(values(seen.rawHeaders, 'content-type'), type === undefined ? [] : [type], what)
      assert.deepEqual(values(seen.rawHeaders, 'content-length'), [`${Buffer.byteLength(body)}`], what)
      assert.ok(seen.body.equals(Buffer.from(body)), what)
    }
  }
})

test('parsers that the app has do not touch what is forwarded', async (t) => {
  const upstream = await origin(t, echo())
  const app = await start(t, { upstream: upstream.url }, {
    before: (app) => {
      app.addContentTypeParser('text/csv', { parseAs: 'string' }, (_request, _body, done) => { done(new Error('not for the proxy')) })
      app.addContentTypeParser('*', (_request, _payload, done) => { done(new Error('not for the proxy')) })
    }
  })

  for (const type of ['text/csv', 'text/x-other', 'application/json']) {
    const response = await app.request('/x', { method: 'POST', body: 'a;b', headers: { 'content-type': type } })
    assert.equal((JSON.parse(response.body) as Echo).body, 'a;b', type)
  }
})

for (const body of ['0', 'false', 'null', '""']) {
  test(`forwards a JSON body that is ${body}`, async (t) => {
    const upstream = await origin(t, echo())
    const app = await start(t, { upstream: upstream.url })

    const response = await app.request('/x', { method: 'POST', body, headers: { 'content-type': 'application/json' } })

    const seen = JSON.parse(response.body) as Echo
    assert.deepEqual([seen.body, seen.headers['content-type'], seen.headers['content-length']], [body, 'application/json', `${body.length}`])
  })
}

test('forwards 10 MiB byte for byte, with either framing', async (t) => {
  const body = randomBytes(10 * 1024 * 1024)
  const expected = createHash('sha256').update(body).digest('hex')
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url })
  const pieces = Array.from({ length: 160 }, (_, index) => body.subarray(index * 65_536, (index + 1) * 65_536))

  assert.equal((await app.request('/x', { method: 'PUT', body })).status, 200)
  assert.equal((await app.request('/x', { method: 'PUT', body: pieces })).status, 200)

  const hashes = upstream.requests.map((seen) => createHash('sha256').update(seen.body).digest('hex'))
  assert.deepEqual(hashes, [expected, expected])
  assert.deepEqual(upstream.requests.map(({ headers }) => [headers['content-length'], headers['transfer-encoding']]), [[`${body.length}`, undefined], [undefined, 'chunked']])
})

test('sends on what has come of a body before the rest has', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)

  client.write('POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n')
  await upstream.until('the first chunk', () => upstream.requests[0]?.body.toString() === 'first')
  client.write('6\r\nsecond\r\n')
  await upstream.until('the second chunk', () => upstream.requests[0]?.body.toString() === 'firstsecond')
  client.write('0\r\n\r\n')

  assert.equal((await client.response()).status, 200)
})

// How a body is framed decides whether there is one, not the method (RFC 9112 6.3).
for (const method of ['GET', 'HEAD', 'DELETE', 'OPTIONS']) {
  test(`delivers the body of ${method}, with its framing`, async (t) => {
    const upstream = await origin(t, answer(200))
    const app = await start(t, { upstream: upstream.url })
    const client = await connect(t, app.port)

    client.write(`${method} /x HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nbody`)
    assert.equal((await client.response({ head: method === 'HEAD' })).status, 200)
    client.write(`${method} /x HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n`)
    assert.equal((await client.response({ head: method === 'HEAD' })).status, 200)
    // The connection is in step: the body was not taken for a request.
    client.write('GET /last HTTP/1.1\r\nHost: x\r\n\r\n')
    assert.equal((await client.response()).status, 200)

    const seen = upstream.requests.map(({ method, body, headers }) => [method, body.toString(), headers['content-length'], headers['transfer-encoding'], headers['content-type']])
    assert.deepEqual(seen, [
      [method, 'body', '4', undefined, 'text/plain'],
      [method, 'body', undefined, 'chunked', 'text/plain'],
      ['GET', '', undefined, undefined, undefined]
    ])
  })
}

test('says content-length: 0 for a POST without a body, once', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url })

  for (const framing of ['Content-Length: 0\r\n', 'Content-Length: 0\r\nContent-Type: application/json\r\n', '']) {
    for (const method of ['POST', 'PUT', 'PATCH']) {
      assert.equal((await raw(t, app.port, `${method} /x HTTP/1.1\r\nHost: x\r\n${framing}\r\n`)).status, 200, method)
      const { rawHeaders } = upstream.requests.at(-1)!
      assert.deepEqual(values(rawHeaders, 'content-length'), ['0'], `${method} ${framing}`)
      assert.deepEqual(values(rawHeaders, 'transfer-encoding'), [], `${method} ${framing}`)
    }
  }
})

test('a chunked body of nothing stays a body of nothing', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url })

  const response = await raw(t, app.port, 'POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n')

  assert.equal(response.status, 200)
  assert.equal(upstream.requests[0]!.bodyLength, 0)
  assert.equal(upstream.requests[0]!.complete, true)
})

test('sends a body on over the connection that carried the last one', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url })

  for (const method of ['POST', 'GET', 'DELETE', 'PUT', 'HEAD']) {
    assert.equal((await app.request('/x', { method, body: 'body', headers: [] })).status, 200, method)
  }

  assert.equal(upstream.connections, 1)
})

test('an answer that comes before the body is whole reaches the client', async (t) => {
  const upstream = await origin(t, (_req, res) => { res.writeHead(401, { 'content-length': 2 }).end('no') })
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)

  client.write('POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nbegin')
  const response = await client.response()

  assert.deepEqual([response.status, response.body.toString(), response.headers['connection']], [401, 'no', 'close'])
})
