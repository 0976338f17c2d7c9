import assert from 'node:assert/strict'
import test from 'node:test'
import { accessFields } from '../../../lib/observe/access-fields.ts'
import { printAccessLine } from '../../../lib/observe/access-line.ts'
import { LineBytes } from '../../../lib/observe/line-bytes.ts'
import { attemptOf, exchangeWith } from '../samples.ts'

const reached: readonly (readonly [what: string, times: object | null])[] = [
  ['was answered by nobody', null],
  ['found no connection', { startedAt: 1002, endedAt: 1100 }],
  ['was sent and not answered', { startedAt: 1002, sentAt: 1005, connectTime: 3, endedAt: 1100 }],
  ['was answered', { startedAt: 1002, sentAt: 1004.504, connectTime: 2, writtenAt: 1010.504, headAt: 1050.5, endedAt: 1099.999, statusCode: 200, reused: true }]
]

for (const [what, times] of reached) {
  test(`prints of an exchange that ${what} the fields that a logger would be given`, () => {
    for (const [method, url, httpVersion] of [['GET', '/', '1.1'], ['PROPFIND', '/a/b?c=d', '1.0'], ['POST', '*', '2.0']] as const) {
      const exchange = exchangeWith({ reply: { statusCode: 206 }, startedAt: 1000, url, method, httpVersion, route: { id: 'GET /:id' } })
      Object.assign(exchange, { endedAt: 1100.126, upstreamPath: `/v2${url}`, bytesIn: 3, bytesOut: 2 ** 33, attempts: 12, queueTime: 0.5 })
      if (times !== null) exchange.last = attemptOf(exchange, times)
      const line = new LineBytes()
      line.begin()
      printAccessLine(line, exchange)
      assert.equal(line.isWhole, true)
      assert.equal(line.take().slice(1), JSON.stringify(accessFields(exchange)).slice(1, -1))
    }
  })
}
