import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault, Judge } from './judge.ts'

const requests = (text: string): string[] => new Judge('requests').read(Buffer.from(text, 'latin1')).map(({ start, body }) => `${start} ${body}`)
const responses = (text: string, method = 'GET'): string[] => new Judge('responses', () => method).read(Buffer.from(text, 'latin1')).map(({ start, body }) => `${start} ${body}`)

test('reads messages one after the other, in whatever pieces', () => {
  const text = 'POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhiPUT /b HTTP/1.1\r\nhost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n1\r\n!\r\n0\r\nX-Sum: 1\r\n\r\nGET /c HTTP/1.1\r\nHost: x\r\n\r\n'
  const expected = ['POST /a HTTP/1.1 hi', 'PUT /b HTTP/1.1 hi!', 'GET /c HTTP/1.1 ']
  assert.deepEqual(requests(text), expected)
  const judge = new Judge('requests')
  const found = [...text].flatMap((byte) => judge.read(Buffer.from(byte, 'latin1')))
  assert.deepEqual(found.map(({ start, body }) => `${start} ${body}`), expected)
  assert.ok(judge.isBetween)
})

test('knows of a response by its method and status how it ends', () => {
  const two = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n'
  assert.equal(responses(two, 'HEAD').length, 2)
  assert.deepEqual(responses('HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'), ['HTTP/1.1 103 Early Hints ', 'HTTP/1.1 200 OK ok'])
  assert.deepEqual(responses('HTTP/1.1 200 OK\r\n\r\nuntil the end'), ['HTTP/1.1 200 OK until the end'])
})

test('takes an answer that does not say to what for that of a HEAD where the next follows at once', () => {
  const refusal = 'HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\n'
  const starts = (text: string): string[] => {
    const judge = new Judge('responses', () => null)
    return [...text].flatMap((byte) => judge.read(Buffer.from(byte, 'latin1'))).map(({ start, body }) => `${start} ${body}`)
  }
  assert.deepEqual(starts(`${refusal}${refusal}{}`), ['HTTP/1.1 400 Bad Request ', 'HTTP/1.1 400 Bad Request {}'])
  assert.deepEqual(starts(`${refusal}{}${refusal}{}`), ['HTTP/1.1 400 Bad Request {}', 'HTTP/1.1 400 Bad Request {}'])
})

for (const text of [
  'GET  /a HTTP/1.1\r\nHost: x\r\n\r\n', 'GET /a HTTP/1.0\r\nHost: x\r\n\r\n', 'GET a HTTP/1.1\r\nHost: x\r\n\r\n', 'CONNECT /a HTTP/1.1\r\nHost: x\r\n\r\n',
  'GET /a HTTP/1.1\r\n\r\n', 'GET /a HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n', 'GET /a HTTP/1.1\r\nHost: x, y\r\n\r\n', 'GET /a HTTP/1.1\r\nHost : x\r\n\r\n', 'GET /a HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n',
  'GET /a HTTP/1.1\r\nHost: x\r\nX: a\nb\r\n\r\n', 'GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n', 'GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n',
  'GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n', 'GET /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n', 'GET /a HTTP/1.1\r\nHost: x\r\nKeep-Alive: 1\r\n\r\n', 'GET /a HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\n\r\n',
  'GET /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\n', 'GET /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n', 'GET /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nHost: y\r\n\r\n'
]) {
  test(`does not take ${JSON.stringify(text)} for a request`, () => {
    assert.throws(() => requests(text), Fault)
  })
}

for (const text of ['HTTP/1.1 20 OK\r\n\r\n', 'HTTP/1.0 200 OK\r\n\r\n', 'HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokmore\r\n\r\n']) {
  test(`does not take ${JSON.stringify(text)} for a response`, () => {
    assert.throws(() => responses(text), Fault)
  })
}
