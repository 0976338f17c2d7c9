import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import { readTrailers, relayTrailers } from '../../../lib/data-plane/trailers.ts'

function entries (raw: readonly (Buffer | string)[]): [string, unknown][] | null {
  const trailers = readTrailers(raw)
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

function relayed (httpVersion: string, te: string | undefined, raw: string[]): unknown {
  let seen: unknown = null
  const response = {
    req: { httpVersion, httpVersionMajor: Number(httpVersion[0]), headers: { te } },
    addTrailers (trailers: object) { seen = Object.entries(trailers) }
  }
  const isSent = relayTrailers(raw, response as unknown as ServerResponse)
  assert.equal(isSent, seen !== null)
  return seen
}

for (const [httpVersion, te, isSent] of [
  ['2.0', undefined, true],
  ['1.1', 'trailers', true],
  ['1.1', 'gzip, Trailers;q=0.5', true],
  ['1.1', 'trailersx', false],
  ['1.1', undefined, false],
  ['1.0', 'trailers', false]
] as const) {
  test(`a client of HTTP/${httpVersion} with TE ${te ?? 'absent'} ${isSent ? 'gets' : 'does not get'} trailers`, () => {
    assert.deepEqual(relayed(httpVersion, te, ['x-sum', '1']), isSent ? [['x-sum', '1']] : null)
    assert.equal(relayed(httpVersion, te, ['host', '1']), null)
  })
}
