import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import { hasFaultyTrailer, readTrailers, relayTrailers, trailerLines } from '../../../lib/data-plane/trailers.ts'

function entries (raw: readonly (Buffer | string)[], connection?: string): [string, unknown][] | null {
  const trailers = readTrailers(raw, connection)
  return trailers === null ? null : Object.entries(trailers)
}

test('reads trailers from bytes and from strings, in lower case, repeated ones as a list', () => {
  assert.deepEqual(entries(['X-Sum', '1', 'x-sum', '2', 'constructor', '3']), [['x-sum', ['1', '2']], ['constructor', '3']])
  assert.deepEqual(entries([Buffer.from('X-Sum'), Buffer.from('caf\u00e9', 'latin1')]), [['x-sum', 'caf\u00e9']])
})

test('drops what counts for nothing behind a body', () => {
  for (const name of ['Content-Length', 'transfer-encoding', 'Host', 'authorization', 'set-cookie', 'trailer', 'connection', 'content-type', 'x-forwarded-for', 'proxy-authenticate']) {
    assert.equal(entries([name, 'x']), null, name)
  }
  assert.equal(entries([]), null)
})

test('drops what Connection named, and what Node would not write', () => {
  assert.deepEqual(entries(['x-own', '1', 'x-fine', '2'], 'close, X-Own'), [['x-fine', '2']])
  assert.deepEqual(entries(['x-bad', 'a\x01b', 'x-fine', '\xe4\tb']), [['x-fine', '\xe4\tb']])
})

test('tells trailers that nobody may write from those of which some count for nothing', () => {
  for (const bad of ['a\x01b', 'a\nb', 'a\0b', 'a\x7fb', '\u0141']) assert.equal(hasFaultyTrailer(['x-fine', '1', 'x-bad', bad]), true)
  for (const good of ['', 'a\tb', 'caf\u00e9', 'x']) assert.equal(hasFaultyTrailer(['content-length', good]), false)
})

test('writes them as lines', () => {
  assert.equal(trailerLines(readTrailers(['X-A', '1', 'x-b', '2', 'x-a', '3'])!), 'x-a: 1\r\nx-a: 3\r\nx-b: 2\r\n')
})

function relayed (httpVersion: string, raw: string[], fields: object = {}): unknown {
  let seen: unknown = null
  const response = {
    req: { httpVersion, httpVersionMajor: Number(httpVersion[0]) },
    ...fields,
    addTrailers (trailers: object) { seen = Object.entries(trailers) }
  }
  const isSent = relayTrailers(raw, undefined, response as unknown as ServerResponse)
  assert.equal(isSent, seen !== null)
  return seen
}

for (const [httpVersion, isSent] of [['2.0', true], ['1.1', true], ['1.0', false]] as const) {
  test(`a client of HTTP/${httpVersion} ${isSent ? 'gets' : 'does not get'} trailers`, () => {
    assert.deepEqual(relayed(httpVersion, ['x-sum', '1']), isSent ? [['x-sum', '1']] : null)
    assert.equal(relayed(httpVersion, ['host', '1']), null)
  })
}

test('a response that is over takes none', () => {
  assert.equal(relayed('1.1', ['x-sum', '1'], { writableEnded: true }), null)
  assert.equal(relayed('1.1', ['x-sum', '1'], { destroyed: true }), null)
})
