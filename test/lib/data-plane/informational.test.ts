import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import { relayInformational } from '../../../lib/data-plane/informational.ts'
import { ProxyError } from '../../../lib/errors.ts'

interface Fields {
  socket?: { writable: boolean } | null
  headersSent?: boolean
  httpVersion?: string
}

/** What a relayed 1xx writes to the client's socket; null for nothing. */
function relay (statusCode: number, headers: string[], { socket = { writable: true }, headersSent = false, httpVersion = '1.1' }: Fields = {}, count = 1): string | null {
  let written: string | null = null
  const write = (text: string, encoding: string): void => {
    assert.equal(encoding, 'latin1')
    assert.equal(written, null, 'one write')
    written = text
  }
  const response = { socket: socket === null ? null : { ...socket, write }, headersSent, req: { httpVersion } } as unknown as ServerResponse
  relayInformational(statusCode, count, headers.map((text) => Buffer.from(text, 'latin1')), response)
  return written
}

const relayed: readonly (readonly [statusCode: number, headers: string[], written: string])[] = [
  [103, ['Link', '</a.css>; rel=preload', 'link', '</b.js>; rel=preload'], 'HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\nlink: </b.js>; rel=preload\r\n\r\n'],
  [102, ['X-A', '\u00e4'], 'HTTP/1.1 102 Processing\r\nx-a: \u00e4\r\n\r\n'],
  [199, ['a', 'b'], 'HTTP/1.1 199 \r\na: b\r\n\r\n'],
  // Nothing that frames a message or ends at this hop.
  [103, ['Content-Length', '7', 'Transfer-Encoding', 'chunked', 'Keep-Alive', 'timeout=5', 'Connection', 'x-mine', 'X-Mine', '1', 'X-Other', '2'], 'HTTP/1.1 103 Early Hints\r\nx-other: 2\r\n\r\n']
]

for (const [statusCode, headers, written] of relayed) {
  test(`relays ${statusCode} with ${headers.length === 0 ? 'no fields' : headers.join(' ')}`, () => {
    assert.equal(relay(statusCode, headers), written)
  })
}

test('leaves out 100, which is ours to say', () => {
  assert.equal(relay(100, []), null)
})

const leftOut: readonly (readonly [why: string, statusCode: number, fields: Fields])[] = [
  ['what comes behind an earlier response of a pipeline', 103, { socket: null }],
  ['what comes after the head', 103, { headersSent: true }],
  ['what the client has left before', 103, { socket: { writable: false } }],
  ['what HTTP/1.0 does not know', 103, { httpVersion: '1.0' }],
  ['what would be a frame in HTTP/2', 103, { httpVersion: '2.0' }]
]

for (const [why, statusCode, fields] of leftOut) {
  test(`leaves out ${why}`, () => {
    assert.equal(relay(statusCode, ['link', '</a>'], fields), null)
  })
}

test('takes 64 of them for one request and no more', () => {
  assert.notEqual(relay(103, [], {}, 64), null)
  for (const fields of [{}, { httpVersion: '1.0' }]) {
    assert.throws(() => relay(103, [], fields, 65), (error) => error instanceof ProxyError && error.error === 'http_protocol_error')
  }
})

test('takes a 101 that names no protocol for a failure: nobody knows what comes behind it', () => {
  assert.throws(() => relay(101, ['link', '</a>']), (error) => error instanceof ProxyError && error.error === 'http_upgrade_failed')
})

test('takes a status below 100 for no answer at all', () => {
  assert.throws(() => relay(99, []), (error) => error instanceof ProxyError && error.error === 'http_protocol_error')
})
