import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import test from 'node:test'
import { gzipSync } from 'node:zlib'
import { connect, raw, values } from '../helpers/client.ts'
import { answer, origin, rawOrigin, speak } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

const get = 'GET /x HTTP/1.1\r\nHost: x\r\n\r\n'

// What an upstream says of its body must come through as it is, be the body small or a stream.
const types: readonly (readonly string[])[] = [
  [], ['application/json'], ['application/json; charset=latin1'], ['application/hal+json'], ['text/html'], ['text/plain;charset=UTF-16'],
  ['image/png'], ['text'], [''], ['a/b; c'], ['multipart/byteranges; boundary=x'], ['text/html', 'text/plain']
]

for (const [what, length] of [['small', 7], ['large', 400_000]] as const) {
  test(`passes on the content type and the bytes of a ${what} body untouched`, async (t) => {
    const body = randomBytes(length)
    for (const type of types) {
      const lines = type.map((value) => `Content-Type: ${value}\r\n`).join('')
      const upstream = await rawOrigin(t, (socket) => {
        socket.once('data', () => {
          socket.write(`HTTP/1.1 200 OK\r\n${lines}Content-Length: ${length}\r\n\r\n`)
          socket.write(body)
        })
      })
      const app = await start(t, { upstream: upstream.url })

      const response = await raw(t, app.port, get)

      assert.ok(response.body.equals(body), String(type))
      assert.deepEqual(values(response.rawHeaders, 'content-type'), type, `${type}`)
      assert.deepEqual(values(response.rawHeaders, 'content-length'), [`${length}`], String(type))
    }
  })
}

test('passes on 10 MiB byte for byte, with any framing', async (t) => {
  const body = randomBytes(10 * 1024 * 1024)
  const expected = createHash('sha256').update(body).digest('hex')
  const upstream = await origin(t,
    answer(200, body),
    (_req, res) => { res.end(body) },
    (_req, res) => { res.writeHead(200, ['Connection', 'close']); res.end(body) }
  )
  const app = await start(t, { upstream: upstream.url })

  for (const framing of ['length', 'chunked', 'close']) {
    const { bytes, aborted } = await app.get('/x')
    assert.equal(createHash('sha256').update(bytes).digest('hex'), expected, framing)
    assert.equal(aborted, false, framing)
  }
})

test('compressed bodies stay compressed', async (t) => {
  const body = gzipSync('text '.repeat(1000))
  const upstream = await origin(t, answer(200, body, { 'content-encoding': 'gzip', 'content-type': 'text/plain', etag: '"a"' }))
  const app = await start(t, { upstream: upstream.url })

  const { bytes, headers } = await app.get('/x', { 'accept-encoding': 'gzip, br' })

  assert.ok(bytes.equals(body))
  assert.deepEqual([headers['content-encoding'], headers['content-length'], headers.etag], ['gzip', `${body.length}`, '"a"'])
  assert.equal(upstream.requests[0]!.headers['accept-encoding'], 'gzip, br')
})

test('chunks arrive as they are sent, and the end with them', async (t) => {
  let next = (_chunk: string | null): void => {}
  const upstream = await origin(t, (_req, res) => {
    res.writeHead(200, { 'content-type': 'text/plain' })
    res.write('first')
    next = (chunk) => { chunk === null ? res.end() : res.write(chunk) }
  })
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)

  client.write(get)
  await client.until('first')
  next('second')
  await client.until('second')
  next(null)
  const response = await client.response()

  assert.equal(response.body.toString(), 'firstsecond')
  assert.equal(response.complete, true)
  assert.deepEqual(values(response.rawHeaders, 'transfer-encoding'), ['chunked'])
})

test('a small body leaves with its head in one piece', async (t) => {
  const upstream = await origin(t,
    answer(200, 'small', { 'content-type': 'text/plain' }),
    answer(200, 'small'),
    answer(200, Buffer.alloc(2000, 0xff), { 'content-type': 'image/png' }),
    answer(404, '{}', { 'content-type': 'application/json' }),
    (_req, res) => { res.setHeader('content-type', 'text/plain'); res.end('unknown length') }
  )
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)
  let pieces = 0
  client.socket.on('data', () => { pieces++ })

  for (let request = 1; request <= 5; request++) {
    client.write(get)
    const { complete } = await client.response()
    assert.equal(complete, true)
    assert.equal(pieces, request)
  }
})

test('a body of unknown length that comes whole has a length for the client', async (t) => {
  const upstream = await rawOrigin(t, speak('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'))
  const app = await start(t, { upstream: upstream.url })

  const response = await raw(t, app.port, get)

  assert.deepEqual([response.headers['content-length'], response.headers['transfer-encoding'], response.body.toString()], ['2', undefined, 'ok'])
})

test('sends nothing chunked to a client that speaks HTTP/1.0', async (t) => {
  let finish = (): void => {}
  const upstream = await origin(t, (_req, res) => {
    res.write('first')
    finish = () => { res.end('last') }
  })
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)

  client.write('GET /x HTTP/1.0\r\n\r\n')
  await client.until('first')
  finish()
  const response = await client.response()

  assert.deepEqual([response.headers['transfer-encoding'], response.body.toString(), response.complete], [undefined, 'firstlast', true])
})

test('a client that reads slowly gets all of it', async (t) => {
  const body = randomBytes(8 * 1024 * 1024)
  const upstream = await origin(t, answer(200, body))
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)
  let reads = 0
  client.socket.on('data', () => {
    if (++reads % 8 !== 0) return
    client.socket.pause()
    setImmediate(() => client.socket.resume())
  })

  client.write(get)
  const response = await client.response()

  assert.ok(response.body.equals(body))
})

test('a range and its answer pass through', async (t) => {
  const upstream = await origin(t, answer(206, 'part', { 'content-range': 'bytes 0-3/9', 'accept-ranges': 'bytes' }))
  const app = await start(t, { upstream: upstream.url })

  const { status, headers, body } = await app.get('/x', { range: 'bytes=0-3', 'if-range': '"a"' })

  assert.deepEqual([status, headers['content-range'], headers['accept-ranges'], body], [206, 'bytes 0-3/9', 'bytes', 'part'])
  assert.deepEqual([upstream.requests[0]!.headers.range, upstream.requests[0]!.headers['if-range']], ['bytes=0-3', '"a"'])
})
