import assert from 'node:assert/strict'
import test from 'node:test'
import type { FastifyServerOptions } from 'fastify'
import { block, connectFrames, END_HEADERS, END_STREAM, frame } from '../helpers/frames.ts'
import { connectHttp2 } from '../helpers/http2.ts'
import { answer, origin } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

type Fields = readonly (readonly [name: string, value: string])[]

const get: Fields = [[':method', 'GET'], [':scheme', 'http'], [':authority', 'x'], [':path', '/x']]
const without = (name: string): Fields => get.filter(([other]) => other !== name)
const as = (name: string, value: string): Fields => get.map((field) => field[0] === name ? [name, value] : field)

// RFC 9113 8.1.1: none of these is a message, and none may reach an upstream.
const malformed: readonly (readonly [what: string, fields: Fields])[] = [
  ['Connection', [...get, ['connection', 'close']]],
  ['Keep-Alive', [...get, ['keep-alive', 'timeout=5']]],
  ['Proxy-Connection', [...get, ['proxy-connection', 'close']]],
  ['Transfer-Encoding', [...get, ['transfer-encoding', 'chunked']]],
  ['Upgrade', [...get, ['upgrade', 'websocket']]],
  ['TE of more than trailers', [...get, ['te', 'gzip']]],
  ['a name in upper case', [...get, ['X-Upper', '1']]],
  ['a pseudo-field behind others', [[':method', 'GET'], [':scheme', 'http'], [':authority', 'x'], ['x-a', '1'], [':path', '/x']]],
  ['a pseudo-field twice', [...get.slice(0, 3), [':path', '/x'], [':path', '/y']]],
  ['an unknown pseudo-field', [[':what', '1'], ...get]],
  ['a pseudo-field of responses', [[':status', '200'], ...get]],
  ['no method', without(':method')],
  ['no scheme', without(':scheme')],
  ['no path', without(':path')],
  ['an empty path', as(':path', '')],
  ['a path that does not begin with a slash', as(':path', 'x')],
  ['* with GET', as(':path', '*')],
  ['an absolute path target', as(':path', 'http://y/x')],
  ['no authority', without(':authority')],
  ['user information', as(':authority', 'user@x')],
  ['a list of authorities', as(':authority', 'x, y')],
  ['another Host', [...get, ['host', 'y']]],
  ['another scheme', as(':scheme', 'ftp')],
  ['CONNECT with scheme and path', as(':method', 'CONNECT')],
  ['a length that no DATA comes for', [...get, ['content-length', '5']]],
  ['two lengths', [...get, ['content-length', '0'], ['content-length', '5']]]
]

test('refuses what is malformed in HTTP/2, by a reset or 400, and asks no upstream', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const app = await start(t, { upstream: upstream.url }, { fastify: { http2: true } as FastifyServerOptions })

  for (const [what, fields] of malformed) {
    const wire = await connectFrames(t, app.port)
    wire.write(frame('HEADERS', END_STREAM | END_HEADERS, 1, block(fields)))
    await wire.bell.until(`an end of ${what}, got ${wire.frames.map(({ type }) => type).join()}`, () =>
      wire.closed || wire.frames.some(({ type, flags, stream }) => type === 'GOAWAY' || (stream === 1 && (type === 'RST_STREAM' || (flags & END_STREAM) !== 0))))
    const head = wire.frames.find(({ type }) => type === 'HEADERS')
    // Static table 8 to 14 are the common statuses; an answer is never that of 200, which is 8 (RFC 7541 A).
    assert.notEqual(head?.payload[0], 0x88, what)
    wire.socket.destroy()
  }
  assert.deepEqual(upstream.requests.map(({ url }) => url), [])
  const client = await connectHttp2(t, app.url)
  assert.equal((await client.request({ ':path': '/well' })).status, 200)
})

test('a field whose name or value is none, which nghttp2 leaves out, reaches no upstream', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const app = await start(t, { upstream: upstream.url }, { fastify: { http2: true } as FastifyServerOptions })

  for (const field of [['x upper', '1'], ['x:y', '1'], ['x-a', 'a\rb'], ['x-a', 'a\r\nx-b: 1'], ['x-a', 'a\0b']] as const) {
    const wire = await connectFrames(t, app.port)
    wire.write(frame('HEADERS', END_STREAM | END_HEADERS, 1, block([...get, field])))
    await wire.bell.until('an end', () => wire.closed || wire.frames.some(({ flags, stream, type }) => stream === 1 && (type === 'RST_STREAM' || (flags & END_STREAM) !== 0)))
    wire.socket.destroy()
  }
  for (const { rawHeaders } of upstream.requests) assert.ok(!rawHeaders.some((text) => /^x(-a|-b|:| )/i.test(text)), rawHeaders.join())
})

test('a body that is shorter or longer than its length never arrives whole', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const app = await start(t, { upstream: upstream.url }, { fastify: { http2: true } as FastifyServerOptions })

  for (const data of ['abc', 'abcdefgh']) {
    const wire = await connectFrames(t, app.port)
    wire.write(frame('HEADERS', END_HEADERS, 1, block([...as(':method', 'POST'), ['content-length', '5']])), frame('DATA', END_STREAM, 1, data))
    await wire.bell.until('a reset', () => wire.closed || wire.frames.some(({ type, stream }) => type === 'GOAWAY' || (stream === 1 && type === 'RST_STREAM')))
    wire.socket.destroy()
  }
  assert.ok(!upstream.requests.some(({ complete }) => complete))
})

test('pseudo-fields in trailers, and trailers that end nothing, are refused', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const app = await start(t, { upstream: upstream.url }, { fastify: { http2: true } as FastifyServerOptions })

  for (const [flags, fields] of [[END_STREAM, [[':path', '/evil']]], [0, [['x-a', '1']]]] as const) {
    const wire = await connectFrames(t, app.port)
    wire.write(frame('HEADERS', END_HEADERS, 1, block(as(':method', 'POST'))), frame('DATA', 0, 1, 'abc'), frame('HEADERS', END_HEADERS | flags, 1, block(fields)))
    await wire.bell.until('a reset', () => wire.closed || wire.frames.some(({ type, stream }) => type === 'GOAWAY' || (stream === 1 && type === 'RST_STREAM')))
    wire.socket.destroy()
  }
  assert.ok(!upstream.requests.some(({ complete }) => complete))
})
