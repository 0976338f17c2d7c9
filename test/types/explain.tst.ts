import type { FastifyInstance } from 'fastify'
import type { Explanation, SlowExchange } from 'fastify-sluice'
import { expect, test } from 'tstyche'

declare const app: FastifyInstance

test('what is explained and what was slow have types', () => {
  expect(app.proxy.explain({ url: '/x' })).type.toBe<Explanation>()
  expect(app.proxy.explain({ method: 'GET', url: '/x', headers: { a: ['b'] }, request: { user: 1 } }).route?.params['id']).type.toBe<string | undefined>()
  expect(app.proxy.slowest({ stage: 'firstByte', count: 1 })).type.toBe<SlowExchange[]>()
  expect(app.proxy.slowest).type.not.toBeCallableWith({ stage: 'nothing' })
})
