import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProxySnapshot } from '../../../lib/model/snapshot.ts'
import { routeTo, upstreamOf } from '../samples.ts'

test('finds the upstreams and routes of one revision by their names', () => {
  const orders = upstreamOf('orders', [])
  const route = routeTo(orders)
  const snapshot = new ProxySnapshot(3, new Map([['orders', orders]]), new Map([[route.id, route]]))
  assert.equal(snapshot.revision, 3)
  assert.equal(snapshot.upstreams.get('orders'), orders)
  assert.equal(snapshot.routes.get('/*'), route)
})
