import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { findProxyFault, openTunnel, readProxy } from '../../../../lib/data-plane/pool/forward-proxy.ts'
import { ProxyError } from '../../../../lib/errors.ts'
import { readOrigin } from '../../../../lib/model/origin.ts'

test('takes the URL of a proxy apart', () => {
  assert.deepEqual(readProxy('http://proxy'), { isSecure: false, hostname: 'proxy', port: 80, authorization: null })
  assert.deepEqual(readProxy('https://[2001:db8::1]/'), { isSecure: true, hostname: '2001:db8::1', port: 443, authorization: null })
  const authorizationOf = (text: string): string => Buffer.from(readProxy(text).authorization!.slice('Basic '.length), 'base64').toString()
  assert.equal(authorizationOf('http://ada:p%40ss%3Aw%C3%B6rd@proxy:3128'), 'ada:p@ss:w\u00f6rd')
  assert.equal(authorizationOf('http://ada@proxy'), 'ada:')
})

for (const good of ['http://proxy:3128', 'https://proxy', 'http://ada:x@10.0.0.1:8080/', 'HTTP://proxy']) {
  test(`takes ${good} for a proxy`, () => { assert.equal(findProxyFault(good), null) })
}

for (const [bad, fault] of [
  ['', /URL of a proxy/], ['proxy:3128', /URL of a proxy/], ['socks5://hunter2@proxy', /URL of a proxy/], ['http://', /URL of a proxy/], ['http://ada:hunter2@:3128', /URL of a proxy/],
  ['http://ada:hunter2@proxy:99999', /URL of a proxy/],
  ['http://ada:hunter2@proxy/path', /path/], ['http://ada:hunter2@proxy?x', /query/], ['http://ada:hunter2@proxy/#x', /query/],
  ['http://a%3Ab:hunter2@proxy', /colon/], ['http://ada:hunter2%0d@proxy', /control characters/], ['http://ada:hunter2%E4@proxy', /percent-encoding/]
] as const) {
  test(`does not take ${JSON.stringify(bad)}, and says nothing of what is in it`, () => {
    const found = findProxyFault(bad)!
    assert.match(found, fault)
    assert.equal(/hunter2|ada/.test(found), false)
  })
}

/** A proxy's answer, piece by piece. */
function answered (pieces: readonly (string | Error | null)[], { origin = 'http://a.example', proxy = 'http://p' } = {}): { written: string, error: Error | null | undefined, rest: string } {
  let written = ''
  let rest = ''
  let error: Error | null | undefined
  let calls = 0
  const socket = Object.assign(new EventEmitter(), { write (text: string) { written += text }, pause () {}, unshift (chunk: Buffer) { rest += String(chunk) } })
  // Whoever has made the connection listens for its failure as well.
  socket.on('error', () => {})
  openTunnel(socket as unknown as Socket, readProxy(proxy), readOrigin(origin), (result) => {
    error = result
    calls++
  })
  for (const piece of pieces) {
    if (typeof piece === 'string') socket.emit('data', Buffer.from(piece, 'latin1'))
    else if (piece === null) socket.emit('end')
    else socket.emit('error', piece)
  }
  assert.ok(calls <= 1, 'told once')
  if (calls === 1) assert.deepEqual([socket.listenerCount('data'), socket.listenerCount('end'), socket.listenerCount('error')], [0, 0, 1])
  return { written, error, rest }
}

test('asks for the endpoint, with its port, and says who asks', () => {
  assert.equal(answered([]).written, 'CONNECT a.example:80 HTTP/1.1\r\nHost: a.example:80\r\n\r\n')
  assert.equal(answered([], { origin: 'https://[2001:db8::1]' }).written, 'CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n\r\n')
  assert.equal(answered([], { origin: 'https://a.example:8443/v1', proxy: 'http://ada:x@p' }).written,
    'CONNECT a.example:8443 HTTP/1.1\r\nHost: a.example:8443\r\nProxy-Authorization: Basic YWRhOng=\r\n\r\n')
})

const OK = 'HTTP/1.1 200 Connection established\r\n\r\n'

for (const [what, pieces, rest] of [
  ['at once', [OK], ''],
  ['with fields that count for nothing there', ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n'], ''],
  ['in HTTP/1.0, without a reason', ['HTTP/1.0 200\r\n\r\n'], ''],
  ['with another 2xx', ['HTTP/1.1 204 No Content\r\n\r\n'], ''],
  ['byte by byte', [...OK], ''],
  ['behind interim answers', [`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 X\r\nA: b\r\n\r\n${OK}`], ''],
  ['with the first bytes of the endpoint', [`${OK}\r\nhello`], '\r\nhello'],
  ['with those of a second read', ['HTTP/1.1 200 X\r\n\r', '\n\0\xff'], '\0\xff']
] as const) {
  test(`has a tunnel once the proxy says so, ${what}`, () => {
    const seen = answered(pieces)
    assert.equal(seen.error, null)
    assert.equal(seen.rest, Buffer.from(rest, 'latin1').toString())
  })
}

const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })

for (const [what, pieces, word, status, cause] of [
  ['403', ['HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nhello'], 'connection_refused', 502, /answered CONNECT with 403/],
  ['407', ['HTTP/1.1 407 X\r\nProxy-Authenticate: Basic\r\n\r\n'], 'connection_refused', 502, /407/],
  ['a redirect', ['HTTP/1.1 302 X\r\nLocation: /\r\n\r\n'], 'connection_refused', 502, /302/],
  ['101', ['HTTP/1.1 101 X\r\n\r\n'], 'connection_refused', 502, /101/],
  ['502', ['HTTP/1.1 502 X\r\n\r\n'], 'connection_refused', 502, /502/],
  ['504', ['HTTP/1.1 504 X\r\n\r\n'], 'connection_timeout', 504, /504/],
  ['garbage', ['SSH-2.0-OpenSSH_9.6\r\n'], 'http_protocol_error', 502, /no HTTP/],
  ['a few bytes of it', ['x'], 'http_protocol_error', 502, /no HTTP/],
  ['a status of two digits', ['HTTP/1.1 20 OK\r\n\r\n'], 'http_protocol_error', 502, /no HTTP/],
  ['a status of four digits', ['HTTP/1.1 2000 OK\r\n\r\n'], 'http_protocol_error', 502, /no HTTP/],
  ['HTTP/2', ['HTTP/2 200\r\n\r\n'], 'http_protocol_error', 502, /no HTTP/],
  ['a head without end', ['HTTP/1.1 200 OK\r\n', ...Array.from({ length: 20 }, () => `x: ${'x'.repeat(1000)}\r\n`)], 'http_protocol_error', 502, /too long a head/],
  ['a long head at once', [`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`], 'http_protocol_error', 502, /too long a head/],
  ['an end', [null], 'connection_terminated', 502, /closed the connection before it answered/],
  ['a part of a head', ['HTTP/1.1 200 OK\r\n', null], 'connection_terminated', 502, /closed the connection before it answered/],
  ['a reset', [reset], 'connection_terminated', 502, /ECONNRESET/]
] as const) {
  test(`has none, and has sent nothing, where the proxy answers with ${what}`, () => {
    const { error, rest } = answered(pieces)
    assert.ok(error instanceof ProxyError)
    assert.deepEqual([error.error, error.statusCode, error.sent, error.phase, error.side, rest], [word, status, false, 'connect', 'upstream', ''])
    assert.match((error.cause as Error).message, cause)
  })
}

test('leaves other failures what they are', () => {
  const error = Object.assign(new Error('x'), { code: 'UND_ERR_CONNECT_TIMEOUT' })
  assert.equal(answered([error]).error, error)
})

test('does not wait for interim answers without end', () => {
  const { error } = answered(Array.from({ length: 1000 }, () => 'HTTP/1.1 100 Continue\r\n\r\n'))
  assert.ok(error instanceof ProxyError)
})
