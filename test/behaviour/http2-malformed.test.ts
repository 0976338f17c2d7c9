import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { FastifyServerOptions } from 'fastify'
import { block, connectFrames, END_HEADERS, END_STREAM, frame, framesOrigin, uint32, type Framed } from '../helpers/frames.ts'
import { connectHttp2 } from '../helpers/http2.ts'
import { answer, origin, type Origin } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

/*
 * RFC 9113 8.1.1: what is malformed is never forwarded. Frame by frame, since no client would send it.
 */

type Field = readonly [name: string, value: string]

const good: readonly Field[] = [[':method', 'GET'], [':path', '/'], [':scheme', 'http'], [':authority', 'a.example']]

function without (name: string): Field[] {
  return good.filter(([other]) => other !== name)
}

function instead (name: string, value: string): Field[] {
  return good.map((field) => field[0] === name ? [name, value] : field)
}

async function through (t: TestContext): Promise<{ upstream: Origin, wire: Framed }> {
  const upstream = await origin(t, answer(200, 'ok'))
  const proxy = await start(t, { upstream: { endpoints: [upstream.url], pool: { keepAliveTimeout: 20 } } }, { fastify: { http2: true } as FastifyServerOptions })
  return { upstream, wire: await connectFrames(t, proxy.port) }
}

/** What a request ended in: the status, or `reset`; the connection may go with it. */
async function outcome (wire: Framed, stream: number): Promise<string> {
  const first = await wire.bell.until('an answer', () => wire.frames.find((one) => (one.stream === stream && (one.type === 'HEADERS' || one.type === 'RST_STREAM')) || one.type === 'GOAWAY') ??
    (wire.closed && { type: 'GOAWAY', payload: Buffer.alloc(0) }))
  // :status 200 and 400 are single bytes of the static table (RFC 7541 A).
  return first.type === 'HEADERS' ? `${{ 0x88: 200, 0x8c: 400, 0x8d: 404 }[first.payload[0]!] ?? 'other'}` : 'reset'
}

test('a request that is well formed passes', async (t) => {
  const { upstream, wire } = await through(t)
  wire.write(frame('HEADERS', END_HEADERS | END_STREAM, 1, block(good)))

  assert.equal(await outcome(wire, 1), '200')
  assert.equal(upstream.requests[0]!.headers.host, upstream.url.slice(7))
})

const malformed: readonly (readonly [what: string, fields: readonly Field[]])[] = [
  ['connection', [...good, ['connection', 'close']]],
  ['keep-alive', [...good, ['keep-alive', 'timeout=5']]],
  ['proxy-connection', [...good, ['proxy-connection', 'keep-alive']]],
  ['transfer-encoding', [...good, ['transfer-encoding', 'chunked']]],
  ['upgrade', [...good, ['upgrade', 'h2c']]],
  ['te other than trailers', [...good, ['te', 'gzip']]],
  ['upper case in a name', [...good, ['X-Own', '1']]],
  ['an unknown pseudo-field', [...good, [':own', '1']]],
  ['a pseudo-field twice', [...good, [':path', '/b']]],
  ['a pseudo-field behind a field', [['x-own', '1'], ...good]],
  [':status in a request', [...good, [':status', '200']]],
  ['no :method', without(':method')],
  ['no :path', without(':path')],
  ['no :scheme', without(':scheme')],
  ['an empty :path', instead(':path', '')],
  [':path without a slash', instead(':path', 'index.html')],
  [':path in absolute form', instead(':path', 'http://b.example/')],
  ['another scheme', instead(':scheme', 'ftp')],
  ['user information', instead(':authority', 'user@a.example')],
  ['no authority at all', without(':authority')],
  ['two Hosts', [...good, ['host', 'a.example'], ['host', 'a.example']]],
  ['another Host', [...good, ['host', 'b.example']]],
  ['an asterisk for a GET', instead(':path', '*')],
  ['CONNECT', [[':method', 'CONNECT'], [':authority', 'a.example:443']]],
  ['two different lengths', [...good, ['content-length', '1'], ['content-length', '2']]],
  ['a length that is none', [...good, ['content-length', '+1']]],
  ['a length and no body', [...good, ['content-length', '5']]]
]

for (const [what, fields] of malformed) {
  test(`a request with ${what} is refused, and no upstream sees it`, async (t) => {
    const { upstream, wire } = await through(t)
    wire.write(frame('HEADERS', END_HEADERS | END_STREAM, 1, block(fields)))

    assert.notEqual(await outcome(wire, 1), '200')
    assert.equal(upstream.hits, 0)
  })
}

for (const [what, field] of [
  ['NUL', ['x-own', 'a\0b']], ['CR', ['x-own', 'a\rb']], ['LF', ['x-own', 'a\nx-other: b']], ['a space in front', ['x-own', ' a']], ['a colon in the name', ['x:own', 'a']], ['a space in the name', ['x own', 'a']]
] as const) {
  test(`a field with ${what} never reaches an upstream`, async (t) => {
    const { upstream, wire } = await through(t)
    wire.write(frame('HEADERS', END_HEADERS | END_STREAM, 1, block([...good, field])))

    const end = await outcome(wire, 1)
    if (end === '200') {
      const { rawHeaders } = upstream.requests[0]!
      assert.equal(rawHeaders.some((item) => /own|other/i.test(item)), false, String(rawHeaders))
    }
  })
}

for (const [what, frames] of [
  ['more bytes than its length', [frame('DATA', 0, 1, 'abc'), frame('DATA', END_STREAM, 1, 'def')]],
  ['fewer bytes than its length', [frame('DATA', END_STREAM, 1, 'abc')]],
  ['a reset behind a part', [frame('DATA', 0, 1, 'abc'), frame('RST_STREAM', 0, 1, uint32(0))]],
  ['pseudo-fields in its trailers', [frame('DATA', 0, 1, 'abcde'), frame('HEADERS', END_HEADERS | END_STREAM, 1, block([[':path', '/b']]))]]
] as const) {
  test(`a body with ${what} never arrives whole`, async (t) => {
    const { upstream, wire } = await through(t)
    wire.write(frame('HEADERS', END_HEADERS, 1, block([...instead(':method', 'POST'), ['content-length', '5']])), ...frames)

    wire.write(frame('PING', 0, 0, Buffer.alloc(8)))
    await wire.bell.until('a ping, or the end', () => wire.closed || wire.frames.some(({ type }) => type === 'PING' || type === 'GOAWAY'))
    await upstream.idle()
    assert.equal(upstream.requests.some(({ complete }) => complete), false)
  })
}

test('a field block is read also where its request is refused: those after it are understood', async (t) => {
  const { upstream, wire } = await through(t)
  wire.write(frame('HEADERS', END_HEADERS | END_STREAM, 1, block([...good, ['host', 'b.example']])), frame('HEADERS', END_HEADERS | END_STREAM, 3, block(good)))

  assert.deepEqual([await outcome(wire, 1), await outcome(wire, 3)], ['400', '200'])
  assert.equal(upstream.hits, 1)
})

test('requests that are reset as fast as they are made neither stop the proxy nor leave anything behind', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const proxy = await start(t, { upstream: { endpoints: [upstream.url], pool: { keepAliveTimeout: 20 } } }, { fastify: { http2: true } as FastifyServerOptions })
  const wire = await connectFrames(t, proxy.port)
  const streams = 500
  for (let index = 0; index < streams; index++) {
    const stream = index * 2 + 1
    wire.write(frame('HEADERS', END_HEADERS | END_STREAM, stream, block(good)), frame('RST_STREAM', 0, stream, uint32(8)))
  }

  for (let index = 0; index < streams; index++) await proxy.line()
  await upstream.idle()

  assert.equal(proxy.app.proxy.upstream(upstream.url)!.state.endpoints[0]!.active, 0)
  assert.equal((await (await connectHttp2(t, proxy.url)).get('/')).status, 200)
})

const answers: readonly (readonly [what: string, frames: readonly Buffer[]])[] = [
  ['no :status', [frame('HEADERS', END_HEADERS | END_STREAM, 1, block([['x-own', '1']]))]],
  ['transfer-encoding', [frame('HEADERS', END_HEADERS | END_STREAM, 1, block([[':status', '200'], ['transfer-encoding', 'chunked']]))]],
  ['connection', [frame('HEADERS', END_HEADERS | END_STREAM, 1, block([[':status', '200'], ['connection', 'close']]))]],
  ['099', [frame('HEADERS', END_HEADERS | END_STREAM, 1, block([[':status', '099']]))]],
  ['1000', [frame('HEADERS', END_HEADERS | END_STREAM, 1, block([[':status', '1000']]))]],
  ['101', [frame('HEADERS', END_HEADERS | END_STREAM, 1, block([[':status', '101']]))]],
  ['HTTP_1_1_REQUIRED', [frame('RST_STREAM', 0, 1, uint32(13))]]
]

for (const [what, frames] of answers) {
  test(`an upstream that answers with ${what} is answered for with 502`, async (t) => {
    const upstream = await framesOrigin(t, ({ type }, wire) => { if (type === 'HEADERS') wire.write(...frames) })
    const proxy = await start(t, { upstream: { endpoints: [upstream.url], pool: { protocol: 'h2' } } })

    const response = await proxy.get('/')

    assert.equal(response.status, 502)
  })
}

for (const [what, length, data] of [['more', '2', 'abc'], ['less', '5', 'abc']] as const) {
  test(`an upstream that sends ${what} than it announced is cut`, async (t) => {
    const upstream = await framesOrigin(t, ({ type }, wire) => {
      if (type === 'HEADERS') wire.write(frame('HEADERS', END_HEADERS, 1, block([[':status', '200'], ['content-length', length]])), frame('DATA', END_STREAM, 1, data))
    })
    const proxy = await start(t, { upstream: { endpoints: [upstream.url], pool: { protocol: 'h2' } } }, { fastify: { http2: true } as FastifyServerOptions })
    const client = await connectHttp2(t, proxy.url)

    const { status, complete } = await client.get('/').catch(() => ({ status: 0, complete: false }))

    assert.ok(status === 502 || !complete, `${status}`)
  })
}
