import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UserTransform } from '../../../../lib/data-plane/transform/user.ts'
import type { RequestHead } from '../../../../types/options.ts'
import { exchangeWith } from '../../samples.ts'

test('hands the head and the exchange to the function of the user', () => {
  const head: RequestHead = { method: 'GET', path: '/', headers: {} }
  const exchange = exchangeWith()
  new UserTransform<RequestHead>((given, { route }) => { given.headers['x-route'] = route.id }).apply(head, exchange)
  assert.deepEqual(head.headers, { 'x-route': '/*' })
})

test('lets what the function throws end the exchange', () => {
  const transform = new UserTransform<RequestHead>(() => { throw new Error('no') })
  assert.throws(() => transform.apply({ method: 'GET', path: '/', headers: {} }, exchangeWith()), /^Error: no$/)
})
