import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import test from 'node:test'
import { mayComeAtOnce, readWhole } from '../../../lib/data-plane/whole-upload.ts'

function message (fields: object, chunks: readonly string[] = []): IncomingMessage {
  const stream = new Readable({ read () {} })
  for (const chunk of chunks) stream.push(Buffer.from(chunk))
  return Object.assign(stream, { httpVersionMajor: 1, complete: false, ...fields }) as unknown as IncomingMessage
}

const announced: readonly (readonly [what: string, fields: object, mayCome: boolean])[] = [
  ['a short body', { headers: { 'content-length': '5' } }, true],
  ['one as long as a read', { headers: { 'content-length': '65536' } }, true],
  ['a longer one', { headers: { 'content-length': '65537' } }, false],
  ['none', { headers: {} }, false],
  ['an empty one', { headers: { 'content-length': '0' } }, false],
  ['one in chunks', { headers: { 'transfer-encoding': 'chunked' } }, false],
  ['one that waits for a 100', { headers: { 'content-length': '5', expect: '100-continue' } }, false],
  ['one that is here', { headers: { 'content-length': '5' }, complete: true }, false],
  ['one over HTTP/2', { headers: { 'content-length': '5' }, httpVersionMajor: 2 }, false]
]

for (const [what, fields, mayCome] of announced) {
  test(`${mayCome ? 'waits a tick' : 'does not wait'} for ${what}`, () => {
    assert.equal(mayComeAtOnce(message(fields)), mayCome)
  })
}

test('does not wait for one that somebody reads', () => {
  assert.equal(mayComeAtOnce(message({ headers: { 'content-length': '5' } }).on('data', () => {})), false)
})

test('gives a body that is all here, and reads the message to its end', async () => {
  const raw = message({ headers: { 'content-length': '6' } }, ['abc', 'def'])
  assert.equal(String(readWhole(raw)), 'abcdef')
  const ended = new Promise((resolve) => { raw.on('end', resolve) })
  raw.push(null)
  await ended
})

const notWhole: readonly (readonly [what: string, make: () => IncomingMessage])[] = [
  ['is not all here', () => message({ headers: { 'content-length': '7' } }, ['abcdef'])],
  ['has no length', () => message({ headers: {} }, ['abcdef'])],
  ['somebody reads', () => message({ headers: { 'content-length': '6' } }, ['abcdef']).on('data', () => {})],
  ['somebody has stopped reading', () => message({ headers: { 'content-length': '6' } }, ['abcdef']).pause()],
  ['is read as text', () => message({ headers: { 'content-length': '6' } }, ['abcdef']).setEncoding('utf8')]
]

for (const [what, make] of notWhole) {
  test(`leaves one that ${what} as it is`, () => {
    const raw = make()
    assert.equal(readWhole(raw), null)
    assert.equal(raw.readableLength, 6)
  })
}
