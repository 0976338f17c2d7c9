import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { acceptOf, findClientFault, findUpstreamFault, hasToken, isWebSocketHandshake } from '../../../../lib/data-plane/upgrade/handshake.ts'

const key = 'dGhlIHNhbXBsZSBub25jZQ=='

test('works out the accept of RFC 6455 1.3', () => {
  assert.equal(acceptOf(key), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
})

const handshakes: [what: string, fields: object, isOne: boolean][] = [
  ['as browsers send it', {}, true],
  ['in other letters', { headers: { upgrade: 'WebSocket' } }, true],
  ['among other protocols', { headers: { upgrade: 'foo/1, websocket' } }, true],
  ['with an empty body', { headers: { upgrade: 'websocket', 'content-length': '0' } }, true],
  ['for a protocol that contains its name', { headers: { upgrade: 'websocket2' } }, false],
  ['for another protocol', { headers: { upgrade: 'h2c' } }, false],
  ['for none', { headers: {} }, false],
  ['by POST', { method: 'POST' }, false],
  ['over HTTP/1.0', { httpVersion: '1.0' }, false],
  ['with a body', { headers: { upgrade: 'websocket', 'content-length': '1' } }, false],
  ['with chunks', { headers: { upgrade: 'websocket', 'transfer-encoding': 'chunked' } }, false]
]

for (const [what, fields, isOne] of handshakes) {
  test(`a request ${what} is ${isOne ? 'a' : 'no'} handshake`, () => {
    assert.equal(isWebSocketHandshake({ method: 'GET', httpVersion: '1.1', headers: { upgrade: 'websocket' }, ...fields } as IncomingMessage), isOne)
  })
}

test('finds a token in a list, whole and in any case', () => {
  assert.deepEqual([hasToken(' A ,b', 'a'), hasToken('ab', 'a'), hasToken(undefined, 'a'), hasToken('', 'a')], [true, false, false, false])
})

test('checks the version and the key of a client', () => {
  assert.equal(findClientFault({ 'sec-websocket-version': '13', 'sec-websocket-key': key }), null)
  assert.equal(findClientFault({ 'sec-websocket-version': '8', 'sec-websocket-key': key })!.statusCode, 426)
  for (const other of [undefined, '', 'c2hvcnQ=', `${key}${key}`, `${key}, ${key}`, 'dGhlIHNhbXBsZSBub25jZQ']) {
    assert.equal(findClientFault({ 'sec-websocket-version': '13', 'sec-websocket-key': other })!.statusCode, 400)
  }
})

test('checks the protocol and the accept of an upstream', () => {
  const accept = { 'sec-websocket-accept': acceptOf(key) }
  assert.equal(findUpstreamFault({ 'sec-websocket-key': key }, 'WebSocket', accept), null)
  for (const [upgrade, received] of [['h2c', accept], ['', accept], ['websocket', {}], ['websocket', { 'sec-websocket-accept': [accept['sec-websocket-accept'], 'x'] }]] as const) {
    assert.equal(findUpstreamFault({ 'sec-websocket-key': key }, upgrade, received as Record<string, string | string[]>)!.error, 'http_upgrade_failed')
  }
})
