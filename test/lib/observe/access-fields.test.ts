import assert from 'node:assert/strict'
import test from 'node:test'
import { accessFields } from '../../../lib/observe/access-fields.ts'
import { attemptOf, exchangeWith } from '../samples.ts'

test('has the same fields in the same order however far an exchange came', () => {
  const exchange = exchangeWith({ reply: { statusCode: 200 }, startedAt: 1000, url: '/x', method: 'GET', log: {} })
  Object.assign(exchange, { endedAt: 1100.126, upstreamPath: '/x' })
  const refused = accessFields(exchange) as { durations: object }
  exchange.last = attemptOf(exchange, { startedAt: 1002, endedAt: 1099 })
  const answered = accessFields(exchange) as { durations: object }
  assert.deepEqual(Object.keys(refused), Object.keys(answered))
  assert.deepEqual(Object.keys(refused.durations), Object.keys(answered.durations))
})
