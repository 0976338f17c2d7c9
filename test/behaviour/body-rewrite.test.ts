import assert from 'node:assert/strict'
import { PassThrough, Transform } from 'node:stream'
import { test } from 'node:test'
import zlib from 'node:zlib'
import type { BodyOptions } from '../../types/index.ts'
import { connect, raw } from '../helpers/client.ts'
import { answer, cutBody, drip, origin, rawOrigin, speak, type Step } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'
import type { TestContext } from 'node:test'

const shop: BodyOptions = { rewrite: [['internal.example', 'shop.example'], ['grüße', 'greetings']] }
const html = { 'content-type': 'text/html; charset=utf-8' }
const json = { 'content-type': 'application/json' }

async function through (t: TestContext, body: BodyOptions, ...steps: Step[]): Promise<Started> {
  const upstream = await origin(t, ...steps)
  return start(t, { upstream: upstream.url, body })
}

/** Not to be taken for whole bodies: pieces come one by one. */
const dripped = (text: string | Buffer, size: number, headers = {}): Step => {
  const bytes = Buffer.from(text)
  return drip(Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) => bytes.subarray(n * size, (n + 1) * size)), 2, headers)
}

test('replaces texts in a body that comes at once, and corrects its length', async (t) => {
  const app = await through(t, shop, answer(200, '<a href="http://internal.example/">grüße</a>', { ...html, etag: '"x"', 'accept-ranges': 'bytes', 'content-digest': 'sha-256=:x:' }))

  const response = await app.get('/x')

  assert.equal(response.body, '<a href="http://shop.example/">greetings</a>')
  assert.equal(response.headers['content-length'], String(response.bytes.length))
  assert.deepEqual([response.headers.etag, response.headers['accept-ranges'], response.headers['content-digest']], ['W/"x"', undefined, undefined])
})

test('replaces texts across pieces and within characters of a body that streams', async (t) => {
  const app = await through(t, shop, dripped('<p>internal.example grüße, grüßen</p>', 3, { ...html, 'content-length': 41 }))

  const response = await app.get('/x')

  assert.equal(response.body, '<p>shop.example greetings, greetingsn</p>')
  assert.equal(response.headers['content-length'], undefined)
})

const codings: (readonly [name: string, code: (bytes: Buffer) => Buffer, decode: (bytes: Buffer) => Buffer])[] = [
  ['gzip', zlib.gzipSync, zlib.gunzipSync], ['deflate', zlib.deflateSync, zlib.inflateSync], ['br', zlib.brotliCompressSync, zlib.brotliDecompressSync]
]
const { zstdCompressSync, zstdDecompressSync } = zlib as unknown as { zstdCompressSync?: (bytes: Buffer) => Buffer, zstdDecompressSync?: (bytes: Buffer) => Buffer }
if (zstdCompressSync !== undefined) codings.push(['zstd', zstdCompressSync, zstdDecompressSync!])

for (const [name, code, decode] of codings) {
  test(`takes ${name} off and puts it on again, of whole bodies and of streams, for texts, functions and streams`, async (t) => {
    const bytes = code(Buffer.from('see internal.example'.repeat(50)))
    const headers = { ...html, 'content-encoding': name }
    const expected = 'see shop.example'.repeat(50)
    const change = (text: string): string => text.replaceAll('internal.example', 'shop.example')
    for (const body of [shop, { rewrite: (received: Buffer) => change(String(received)) }, { rewrite: { stream: () => new Whole(change) } }]) {
      const app = await through(t, body, answer(200, bytes, headers), dripped(bytes, 20, headers))
      for (let n = 0; n < 2; n++) {
        const response = await app.request('/x', { headers: { 'accept-encoding': `${name}, sdch` } })
        assert.equal(response.headers['content-encoding'], name)
        assert.equal(String(decode(response.bytes)), expected)
      }
    }
  })
}

/** Holds everything until the end. */
class Whole extends Transform {
  #text = ''
  readonly #change: (text: string) => string

  constructor (change: (text: string) => string) {
    super()
    this.#change = change
  }

  override _transform (chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.#text += String(chunk)
    callback()
  }

  override _flush (callback: (error: Error | null, data: string) => void): void {
    callback(null, this.#change(this.#text))
  }
}

test('asks the upstream for codings that it can take off, and on other routes for all', async (t) => {
  const upstream = await origin(t, answer(200, 'x'))
  const app = await start(t, { upstreams: { one: upstream.url }, routes: [{ url: '/a', upstream: 'one', body: shop }, { url: '/b', upstream: 'one' }] })

  for (const path of ['/a', '/b']) await app.get(path, { 'accept-encoding': 'zz, gzip;q=0.5' })

  assert.deepEqual(upstream.requests.map(({ headers }) => headers['accept-encoding']), ['gzip;q=0.5', 'zz, gzip;q=0.5'])
})

test('gives a function each whole body, however it comes, with the exchange and the head, and sends what it answers', async (t) => {
  const seen: unknown[] = []
  const app = await through(t, {
    rewrite: async (body, exchange, head) => {
      await new Promise(setImmediate)
      seen.push([String(body), exchange.route.id, head.headers['x-a']])
      return `${String(body).toUpperCase()}é`
    }
  }, answer(200, 'abc', { ...html, 'x-a': '1' }), dripped('abcdef', 2, html), answer(200, 'abc'))

  for (const text of ['ABCé', 'ABCDEFé', 'ABCé']) {
    const response = await app.get('/x')
    assert.equal(response.body, text)
    assert.equal(response.headers['content-length'], String(response.bytes.length))
  }
  assert.deepEqual(seen, [['abc', '/*', '1'], ['abcdef', '/*', undefined], ['abc', '/*', undefined]])
  assert.equal((await app.get('/x')).headers['content-type'], undefined)
})

test('gives rewriteJson the parsed value, of JSON alone', async (t) => {
  const app = await through(t, { rewriteJson: (value, exchange) => ({ ...value, route: exchange.route.id, secret: undefined }) },
    answer(200, '{"a": 1, "secret": 2}', json), dripped('\ufeff{"a": 1}', 3, { 'content-type': 'application/hal+json; charset=utf-8' }), answer(200, '{"a": 1}', html))

  assert.equal((await app.get('/x')).body, '{"a":1,"route":"/*"}')
  assert.equal((await app.get('/x')).body, '{"a":1,"route":"/*"}')
  assert.equal((await app.get('/x')).body, '{"a": 1}')
})

test('a body over the rewriteLimit goes to the stream, and without one is answered with 502', async (t) => {
  const big = 'x'.repeat(200_000)
  const whole = (body: Buffer): string => `whole ${body.length}`
  const steps = [answer(200, 'x'), answer(200, big, html), dripped(big, 40_000, html), answer(200, zlib.gzipSync(big), { ...html, 'content-encoding': 'gzip' })]
  const both = await through(t, { rewriteLimit: 100_000, rewrite: { whole, stream: () => new Whole((text) => `stream ${text.length}`) } }, ...steps)
  assert.deepEqual([(await both.get('/x')).body, (await both.get('/x')).body, (await both.get('/x')).body, String(zlib.gunzipSync((await both.get('/x')).bytes))], ['whole 1', 'stream 200000', 'stream 200000', 'stream 200000'])

  const one = await through(t, { rewriteLimit: 100_000, rewrite: whole }, ...steps)
  assert.equal((await one.get('/x')).body, 'whole 1')
  for (let n = 0; n < 3; n++) {
    const response = await one.get('/x')
    assert.equal(response.status, 502)
    assert.equal(response.headers['proxy-status'], 'sluice; error=http_response_body_size')
    assert.ok(!response.body.includes('xxx'))
  }
})

test('leaves alone what is a part, no body, or of another type, head and all', async (t) => {
  const upstream = await rawOrigin(t, speak((n) => [
    'HTTP/1.1 200 OK\r\nContent-Length: 20\r\nContent-Type: image/png\r\nETag: "x"\r\nAccept-Ranges: bytes\r\n\r\n',
    'HTTP/1.1 206 Partial\r\nContent-Length: 16\r\nContent-Range: bytes 0-15/99\r\nETag: "x"\r\nAccept-Ranges: bytes\r\n\r\ninternal.example',
    'HTTP/1.1 204 No Content\r\nETag: "x"\r\n\r\n',
    'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 20\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 16\r\nCache-Control: no-transform\r\nETag: "x"\r\n\r\ninternal.example',
    'HTTP/1.1 200 OK\r\nContent-Length: 16\r\nContent-Type: image/png\r\nETag: "x"\r\n\r\ninternal.example'
  ][n - 1]!))
  const app = await start(t, { upstream: upstream.url, body: shop })

  const head = await raw(t, app.port, 'HEAD /x HTTP/1.1\r\nHost: x\r\n\r\n')
  assert.deepEqual([head.headers['content-length'], head.headers['etag'], head.headers['accept-ranges']], ['20', '"x"', 'bytes'])
  for (const [status, body] of [[206, 'internal.example'], [204, ''], [304, ''], [200, 'internal.example'], [200, 'internal.example']] as const) {
    // What a client has that got such a body.
    const response = await app.get('/x', { 'if-none-match': '"x"' })
    assert.deepEqual([response.status, response.body, response.headers.etag], [status, body, '"x"'])
  }
})

test('HEAD and 304 carry the fields that the rewritten 200 has, and its validators hold', async (t) => {
  const fields = { etag: '"v1"', 'last-modified': 'Sat, 01 Nov 2025 00:00:00 GMT', 'accept-ranges': 'bytes', digest: 'x', 'content-digest': 'y', vary: 'accept-encoding', 'cache-control': 'max-age=5' }
  const body = '<a href="http://internal.example/">'
  const upstream = await origin(t, (req, res) => {
    // Weak comparison, as RFC 9110 13.1.2 asks for.
    const isHeld = String(req.headers['if-none-match'] ?? '').split(', ').some((tag) => tag.replace(/^W\//, '') === fields.etag)
    if (isHeld) res.writeHead(304, fields).end()
    else res.writeHead(200, { ...fields, ...html, 'content-length': Buffer.byteLength(body) }).end(req.method === 'HEAD' ? undefined : body)
  })
  for (const options of [shop, { rewrite: (received: Buffer) => String(received).replace('internal', 'shop') }] satisfies BodyOptions[]) {
    const app = await start(t, { upstream: upstream.url, body: options })
    const names = ['etag', 'last-modified', 'accept-ranges', 'digest', 'content-digest', 'vary', 'cache-control']
    const of = (headers: Record<string, unknown>): unknown[] => names.map((name) => headers[name])

    const got = await app.get('/x')
    const head = await raw(t, app.port, 'HEAD /x HTTP/1.1\r\nHost: x\r\n\r\n')
    const unchanged = await app.get('/x', { 'if-none-match': got.headers.etag! })

    assert.deepEqual([got.status, got.headers.etag, got.body], [200, 'W/"v1"', '<a href="http://shop.example/">'])
    assert.deepEqual(of(head.headers), of(got.headers))
    assert.deepEqual([head.status, head.headers['content-length'], head.headers['content-type']], [200, undefined, html['content-type']])
    assert.deepEqual([unchanged.status, unchanged.headers['content-length']], [304, undefined])
    assert.deepEqual(of(unchanged.headers), of(got.headers))
  }
})

const latin = Buffer.from('grüße internal.example', 'latin1')
test('knows the charset of a text, and leaves alone what is in another', async (t) => {
  const app = await through(t, shop, answer(200, latin, { 'content-type': 'text/plain; charset="ISO-8859-1"' }), answer(200, latin, { 'content-type': 'text/plain; charset=utf-16' }))

  assert.equal((await app.get('/x')).body, 'greetings shop.example')
  assert.deepEqual((await app.get('/x')).bytes, latin)
})

test('a replacement may be made for each exchange', async (t) => {
  const app = await through(t, { rewrite: { replace: [['HOST', ({ request }) => request.host]], types: ['*'] } }, answer(200, 'at HOST', { 'content-type': 'image/svg+xml' }))

  assert.equal((await app.get('/x', { host: 'me.example' })).body, 'at me.example')
})

test('passes events on at once, rewritten, in their coding too', async (t) => {
  let next = (): void => {}
  const upstream = await origin(t, (req, res) => {
    const isCoded = req.url === '/gzip'
    res.writeHead(200, { 'content-type': 'text/event-stream', ...(isCoded && { 'content-encoding': 'gzip' }) })
    const out = isCoded ? zlib.createGzip({ flush: zlib.constants.Z_SYNC_FLUSH }) : new PassThrough()
    out.pipe(res)
    out.write('data: internal.example 1\n\n')
    next = () => { out.end('data: internal.example 2\n\n') }
  })
  const app = await start(t, { upstream: upstream.url, body: shop })

  for (const path of ['/plain', '/gzip']) {
    const client = await connect(t, app.port)
    client.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
    const text = (received: Buffer): string => {
      const at = received.indexOf('\r\n\r\n')
      if (at === -1) return ''
      const chunks: Buffer[] = []
      let rest = received.subarray(at + 4)
      for (let end = rest.indexOf('\r\n'); end !== -1; end = rest.indexOf('\r\n')) {
        const size = parseInt(String(rest.subarray(0, end)), 16)
        if (rest.length < end + 2 + size) break
        chunks.push(rest.subarray(end + 2, end + 2 + size))
        rest = rest.subarray(end + 4 + size)
      }
      const bytes = Buffer.concat(chunks)
      return path === '/gzip' && bytes.length > 0 ? String(zlib.gunzipSync(bytes, { finishFlush: zlib.constants.Z_SYNC_FLUSH })) : String(bytes)
    }
    await client.until((received) => text(received) === 'data: shop.example 1\n\n')
    next()
    await client.until((received) => text(received) === 'data: shop.example 1\n\ndata: shop.example 2\n\n')
  }
})

test('pays nothing on other routes: head and body go through byte for byte', async (t) => {
  const upstream = await origin(t, answer(200, 'internal.example', { ...html, etag: '"x"', 'accept-ranges': 'bytes', digest: 'x' }))
  const app = await start(t, { upstream: upstream.url, defaults: { body: shop }, body: { rewrite: false } })

  const { body, headers } = await app.get('/x')

  assert.deepEqual([body, headers.etag, headers['accept-ranges'], headers['digest']], ['internal.example', '"x"', 'bytes', 'x'])
})

test('an answer that broke off is not taken for whole', async (t) => {
  const app = await through(t, { rewrite: (body) => body }, cutBody(100, 50), cutBody(null, 50, 'reset'))

  for (let n = 0; n < 2; n++) {
    const response = await app.get('/x')
    assert.equal(response.status, 502)
    assert.equal((await app.line())['error'], 'http_response_incomplete')
  }
})

test('trailers follow a rewritten body, whole or as a stream, but for sums over the other one', async (t) => {
  const head = 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\nTrailer: Content-Digest, X-Sum\r\n\r\n'
  const upstream = await rawOrigin(t, speak(`${head}10\r\ninternal.example\r\n0\r\nContent-Digest: sha-256=:x:\r\nX-Sum: 1\r\n\r\n`))
  for (const body of [shop, { rewrite: async (received: Buffer) => String(received).replace('internal', 'shop') }, { rewrite: { stream: () => new PassThrough() } }]) {
    const app = await start(t, { upstream: upstream.url, body })

    const response = await raw(t, app.port, 'GET /x HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nConnection: TE\r\n\r\n')

    assert.match(String(response.body), /^(shop|internal)\.example$/)
    assert.deepEqual(Object.entries(response.trailers), [['x-sum', '1']])
    assert.equal(response.headers['trailer'], 'X-Sum')
  }
})

test('the head of a rewritten stream goes out before its first byte, whatever its coding', async (t) => {
  const upstream = await origin(t, (req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream', ...(req.url !== '/plain' && { 'content-encoding': req.url!.slice(1) }) })
    res.flushHeaders()
  })
  const app = await start(t, { upstream: upstream.url, body: shop })

  for (const path of ['/plain', '/gzip', '/br']) {
    const client = await connect(t, app.port)
    client.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
    await client.until('\r\n\r\n')
  }
})
