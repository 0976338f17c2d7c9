import assert from 'node:assert/strict'
import { Transform } from 'node:stream'
import { test, type TestContext } from 'node:test'
import zlib from 'node:zlib'
import type { BodyOptions } from '../../types/index.ts'
import { connect } from '../helpers/client.ts'
import { answer, cutBody, drip, origin, type Origin, type Step } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'
import { assertGrowsLess } from './memory-measure.ts'

const MIB = 1024 * 1024
const html = { 'content-type': 'text/html' }
const shop: BodyOptions = { rewrite: [['internal.example', 'shop.example']] }
const same: BodyOptions = { rewrite: (body) => body }

async function through (t: TestContext, body: BodyOptions, step: Step, more: object = {}): Promise<{ app: Started, upstream: Origin }> {
  const upstream = await origin(t, step)
  return { app: await start(t, { upstream: upstream.url, body, ...more }), upstream }
}

/** The second half comes while the first is being worked on. */
const halves = (bytes: Buffer, headers: object): Step => drip([bytes.subarray(0, bytes.length >> 1), bytes.subarray(bytes.length >> 1)], 20, headers as Record<string, string>)

class Failing extends Transform {
  override _transform (_chunk: Buffer, _encoding: BufferEncoding, callback: (error: Error) => void): void {
    callback(new Error('no luck'))
  }
}

function fault (): never {
  throw new Error('no luck')
}

const broken = zlib.gzipSync('internal.example'.repeat(5000))
broken.fill(0xff, 40)

const before: readonly (readonly [what: string, body: BodyOptions, step: Step, status: number, error: string])[] = [
  ['a coding that nobody knows', shop, answer(200, 'x', { ...html, 'content-encoding': 'zz' }), 502, 'http_response_content_coding'],
  ['a coding that nobody knows, of a stream', shop, drip(['x', 'y'], 20, { ...html, 'content-encoding': 'zz' }), 502, 'http_response_content_coding'],
  ['two codings on top of each other', shop, answer(200, zlib.gzipSync(zlib.gzipSync('x')), { ...html, 'content-encoding': 'gzip, gzip' }), 502, 'http_response_content_coding'],
  ['what is not gzip and says so', same, answer(200, 'hello', { ...html, 'content-encoding': 'gzip' }), 502, 'http_response_content_coding'],
  ['what is not gzip and says so, of a stream', same, drip(['hel', 'lo'], 20, { ...html, 'content-encoding': 'gzip' }), 502, 'http_response_content_coding'],
  ['a deflate that ends too soon', same, answer(200, zlib.deflateSync('x'.repeat(1000)).subarray(0, 10), { ...html, 'content-encoding': 'deflate' }), 502, 'http_response_content_coding'],
  ['a function that throws', { rewrite: fault }, answer(200, 'x'), 500, 'internal_error'],
  ['a function that throws behind a stream', { rewrite: fault }, drip(['x', 'y'], 20), 500, 'internal_error'],
  ['a promise that is rejected', { rewrite: async () => fault() }, answer(200, 'x'), 500, 'internal_error'],
  ['a function that answers nothing', { rewrite: (() => undefined) as never }, answer(200, 'x'), 500, 'internal_error'],
  ['a factory that throws', { rewrite: { stream: fault } }, drip(['x', 'y'], 20), 500, 'internal_error'],
  ['a factory of something else', { rewrite: { stream: (() => ({})) as never } }, drip(['x', 'y'], 20), 500, 'internal_error'],
  ['a replacement that throws', { rewrite: [['x', fault]] }, drip(['x', 'y'], 20), 500, 'internal_error'],
  ['JSON that is none', { rewriteJson: (value) => value }, answer(200, '{"a":', { 'content-type': 'application/json' }), 502, 'http_protocol_error'],
  ['a value that is no JSON', { rewriteJson: () => undefined }, answer(200, '{}', { 'content-type': 'application/json' }), 500, 'internal_error'],
  ['a body that breaks off within its coding', same, cutBody(null, 10), 502, 'http_response_incomplete']
]

for (const [what, body, step, status, error] of before) {
  test(`answers ${status} ${error} to ${what}, and nothing of the body`, async (t) => {
    const { app } = await through(t, body, step)

    const response = await app.get('/x')

    assert.equal(response.status, status)
    assert.equal((JSON.parse(response.body) as { code: string }).code, `FST_SLUICE_${error.toUpperCase()}`)
    for (const name of ['content-encoding', 'etag', 'x-upstream']) assert.equal(response.headers[name], undefined)
    assert.equal((await app.line())['error'], error)
  })
}

const behind: readonly (readonly [what: string, body: BodyOptions, step: Step, error: string])[] = [
  ['a coding that breaks', shop, halves(broken, { ...html, 'content-encoding': 'gzip' }), 'http_response_content_coding'],
  ['a coding that ends too soon', shop, halves(zlib.gzipSync('x'.repeat(1000)).subarray(0, 20), { ...html, 'content-encoding': 'gzip' }), 'http_response_content_coding'],
  ['a stream that fails', { rewrite: { stream: () => new Failing() } }, drip(['x', 'y', 'z'], 20), 'internal_error']
]

for (const [what, body, step, error] of behind) {
  test(`cuts the client off behind the head of ${what}`, async (t) => {
    const { app } = await through(t, body, step)

    const response = await app.get('/x')

    assert.deepEqual([response.status, response.aborted], [200, true])
    assert.equal((await app.line())['error'], error)
  })
}

test('a bomb goes off at its bound: as 502 for whole bodies, and cut for streams, with the upstream cancelled', async (t) => {
  const bomb = zlib.brotliCompressSync(Buffer.alloc(64 * MIB), { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 5 } })
  assert.ok(bomb.length < 1024)
  const headers = { ...html, 'content-encoding': 'br' }

  const whole = await through(t, same, answer(200, bomb, headers))
  assert.equal((await whole.app.get('/x')).status, 502)
  assert.equal((await whole.app.line())['error'], 'http_response_body_size')

  await assertGrowsLess(100 * MIB, async () => {
    const streams = await through(t, shop, drip([bomb, 'never'], 60_000, headers))
    const before = process.memoryUsage.rss()
    const response = await streams.app.get('/x')
    assert.equal(response.aborted, true)
    assert.equal((await streams.app.line())['error'], 'http_response_body_size')
    await streams.upstream.closed(1)
    return process.memoryUsage.rss() - before
  })
})

test('an app that does not answer is waited for as long as timeouts.write, or total, allow', async (t) => {
  const { app } = await through(t, { rewrite: async () => new Promise(() => {}) }, answer(200, 'x'), { timeouts: { write: 100 } })

  const response = await app.get('/x')

  assert.equal(response.status, 504)
  assert.equal((await app.line())['error'], 'request_timeout')
})

test('a client that leaves while the app still works on its body leaves nothing behind', async (t) => {
  let answerIt = (_body: string): void => {}
  let ask = (): void => {}
  const asked = new Promise<void>((resolve) => { ask = resolve })
  const { app } = await through(t, { rewrite: async () => new Promise((resolve) => { answerIt = resolve; ask() }) }, drip(['a', 'b'], 5))
  const client = await connect(t, app.port)

  client.write('GET /x HTTP/1.1\r\nHost: x\r\n\r\n')
  await asked
  client.reset()
  const line = await app.line()
  answerIt('late')
  await new Promise(setImmediate)

  assert.deepEqual([line['status'], line['error']], [499, 'client_closed_request'])
  const [upstream] = [...app.app.proxy.snapshot!.upstreams.values()]
  assert.equal(upstream!.state.endpoints[0]!.active, 0)
})

test('a client that leaves a rewritten stream cancels the upstream', async (t) => {
  const { app, upstream } = await through(t, shop, drip(Array.from({ length: 1000 }, () => 'internal.example'), 5, { ...html }))
  const client = await connect(t, app.port)

  client.write('GET /x HTTP/1.1\r\nHost: x\r\n\r\n')
  await client.until('shop.example')
  client.reset()

  await upstream.closed(1)
  assert.equal((await app.line())['error'], 'client_closed_request')
})

test('a slow reader slows the upstream down, through the coding too', async (t) => {
  let sent = 0
  const { app } = await through(t, shop, (_req, res) => {
    res.writeHead(200, html)
    const piece = Buffer.alloc(MIB, 'internal.example ')
    const write = (): void => {
      while (!res.destroyed && sent < 200) {
        sent++
        if (!res.write(piece)) break
      }
    }
    res.on('drain', write)
    write()
  })
  const client = await connect(t, app.port, { keep: false })
  client.socket.pause()
  client.write('GET /x HTTP/1.1\r\nHost: x\r\n\r\n')

  await new Promise((resolve) => setTimeout(resolve, 300))
  assert.ok(sent < 50, String(sent))
})
