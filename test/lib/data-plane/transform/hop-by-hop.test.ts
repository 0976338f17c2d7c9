import assert from 'node:assert/strict'
import { test } from 'node:test'
import { copyRequestHeaders, copyResponseHeaders } from '../../../../lib/data-plane/transform/hop-by-hop.ts'

type Received = Record<string, string | string[]>

function response (...raw: string[]): Received {
  return copyResponseHeaders(raw.map((text) => Buffer.from(text, 'latin1')))
}

const bothWays = ['connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'http2-settings', 'alt-svc']
const ends: Record<'request' | 'response', string[]> = {
  request: [...bothWays, 'proxy-authorization', 'expect', 'proxy-anything', 'proxy-', ':path', ':authority'],
  response: bothWays
}
const travels: Record<'request' | 'response', string[]> = {
  request: ['accept', 'authorization', 'cookie', 'x-proxy-id', 'proxyid', 'upgrade-insecure-requests', 'te-x', 'constructor', 'x-te', 'via'],
  response: ['set-cookie', 'content-type', 'proxy-status', 'proxy-authentication-info', 'expect', 'age', 'constructor', 'tostring', 'www-authenticate']
}

for (const name of ends.request) {
  test(`keeps ${name} of a request to this hop`, () => {
    assert.deepEqual(copyRequestHeaders({ [name]: 'x', accept: '*/*' }), { accept: '*/*' })
  })
}

for (const name of ends.response) {
  test(`keeps ${name} of a response to this hop, however it is written`, () => {
    const value = name === 'transfer-encoding' ? 'Chunked' : 'x'
    for (const written of [name, name.toUpperCase()]) assert.deepEqual(response(written, value, 'age', '1'), { age: '1' })
  })
}

for (const name of travels.request) {
  test(`sends ${name} of a request on`, () => assert.deepEqual(copyRequestHeaders({ [name]: 'x' }), { [name]: 'x' }))
}

for (const name of travels.response) {
  test(`sends ${name} of a response on, once or several times`, () => {
    assert.deepEqual(response(name, 'x'), { [name]: 'x' })
    assert.deepEqual(response(name, 'x', name, 'y', name.toUpperCase(), 'z'), { [name]: ['x', 'y', 'z'] })
  })
}

test('leaves Host to whoever picks the endpoint', () => {
  assert.deepEqual(copyRequestHeaders({ host: 'shop.example', accept: '*/*' }), { accept: '*/*' })
})

// What Connection nominates ends here too; what frames or addresses the message does not.
const nominations: readonly (readonly [connection: string, kept: string[]])[] = [
  ['keep-alive', ['x-a', 'x-b', 'content-length']],
  ['close', ['x-a', 'x-b', 'content-length']],
  ['Keep-Alive', ['x-a', 'x-b', 'content-length']],
  ['CLOSE', ['x-a', 'x-b', 'content-length']],
  ['x-a', ['x-b', 'content-length']],
  ['X-A', ['x-b', 'content-length']],
  ['close, x-a', ['x-b', 'content-length']],
  [' , x-b ,,X-A ,', ['content-length']],
  ['x-a;q=1', ['x-a', 'x-b', 'content-length']],
  ['content-length, host', ['x-a', 'x-b', 'content-length']],
  ['Content-Length , x-b', ['x-a', 'content-length']],
  ['', ['x-a', 'x-b', 'content-length']],
  ['x-unknown, __proto__', ['x-a', 'x-b', 'content-length']]
]

for (const [connection, kept] of nominations) {
  test(`keeps to this hop what 'Connection: ${connection}' nominates, in both directions`, () => {
    assert.deepEqual(Object.keys(copyRequestHeaders({ 'x-a': '1', 'x-b': '2', 'content-length': '3', connection })), kept)
    assert.deepEqual(Object.keys(response('X-A', '1', 'X-B', '2', 'Content-Length', '3', 'Connection', connection)), kept)
  })
}

test('reads every Connection line of a response, wherever it stands', () => {
  assert.deepEqual(response('Connection', 'x-a', 'X-A', '1', 'X-B', '2', 'connection', 'close, x-b', 'X-C', '3'), { 'x-c': '3' })
})

test('drops every value of a field that is nominated', () => {
  assert.deepEqual(response('X-A', '1', 'x-a', '2', 'Connection', 'x-a'), {})
  assert.deepEqual(copyRequestHeaders({ 'set-cookie': ['a', 'b'], connection: 'set-cookie' }), {})
})

const te: readonly (readonly [te: string, connection: string | null, sent: string | null])[] = [
  ['trailers', null, 'trailers'],
  ['trailers', 'TE', 'trailers'], // as RFC 9110 10.1.4 has it
  ['gzip, Trailers', 'te, close', 'trailers'],
  ['trailers;q=0.5, deflate', null, 'trailers'],
  ['gzip', null, null],
  ['trailersx', null, null],
  ['', null, null]
]

for (const [value, connection, sent] of te) {
  test(`${sent === null ? 'sends nothing' : `sends '${sent}'`} on of 'TE: ${value}'${connection === null ? '' : ` with 'Connection: ${connection}'`}`, () => {
    assert.deepEqual(copyRequestHeaders({ te: value, ...connection !== null && { connection } }), sent === null ? {} : { te: sent })
  })
}

test('sends no Content-Length beside a Transfer-Encoding', () => {
  assert.deepEqual(copyRequestHeaders({ 'content-length': '5', 'transfer-encoding': 'chunked' }), {})
  assert.deepEqual(copyRequestHeaders({ 'content-length': '5' }), { 'content-length': '5' })
})

test('keeps the values of a response byte for byte, and several of one field in order', () => {
  assert.deepEqual(response('X', 'caf\u00e9', 'Set-Cookie', 'a=1', 'SET-COOKIE', 'b=2', 'x-empty', ''), { x: 'caf\u00e9', 'set-cookie': ['a=1', 'b=2'], 'x-empty': '' })
})

test('takes fields called like what every object has for fields like others', () => {
  const headers = response('constructor', 'a', '__proto__', 'b', '__proto__', 'c', 'hasownproperty', 'd')
  assert.equal(headers['constructor'], 'a')
  assert.equal(headers['hasownproperty'], 'd')
  assert.equal(Object.getPrototypeOf(headers), Object.prototype)
})

test('leaves what was received as it is', () => {
  const received = Object.freeze({ connection: 'x-a', 'x-a': '1', te: 'trailers', cookie: 'a' })
  assert.deepEqual(copyRequestHeaders(received), { cookie: 'a', te: 'trailers' })
})
