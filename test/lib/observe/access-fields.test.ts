import assert from 'node:assert/strict'
import test from 'node:test'
import { accessFields, printAccessFields, quoted } from '../../../lib/observe/access-fields.ts'
import { attemptOf, exchangeWith } from '../samples.ts'

const texts: readonly (readonly [what: string, text: string])[] = [
  ['nothing', ''],
  ['a path', '/orders/7~a'],
  ['quotes', 'a"b'],
  ['backslashes', 'a\\b'],
  ['controls', 'a\u0000\u001f\u007fb'],
  ['letters beyond ASCII', 'é\u2028😀'],
  ['half a surrogate pair', 'a\ud800b']
]

for (const [what, text] of texts) {
  test(`quotes ${what} as JSON does`, () => assert.equal(quoted(text), JSON.stringify(text)))

  test(`prints the fields of an exchange with ${what} in its path as JSON does`, () => {
    const log = { info () {} }
    const exchange = exchangeWith({ reply: { statusCode: 200 }, startedAt: 1000, url: `/${text}?token=secret`, method: 'PUT', log })
    Object.assign(exchange, { endedAt: 1100.126, upstreamPath: `/v2/${text}?token=secret`, bytesIn: 3, bytesOut: 5, attempts: 1 })
    assert.equal(`{${printAccessFields(exchange)}}`, JSON.stringify(accessFields(exchange)))

    exchange.last = attemptOf(exchange, { startedAt: 1002, sentAt: 1004.504, connectTime: 2, writtenAt: 1010.504, headAt: 1050.5, endedAt: 1099.999, statusCode: 200, reused: true })
    assert.equal(`{${printAccessFields(exchange)}}`, JSON.stringify(accessFields(exchange)))
  })
}
