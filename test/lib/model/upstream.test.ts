import assert from 'node:assert/strict'
import { test } from 'node:test'
import { endpointAt, upstreamOf } from '../samples.ts'

test('keeps its identity while its state is replaced whole', () => {
  const sick = endpointAt('http://10.0.0.1')
  const well = endpointAt('http://10.0.0.2')
  const upstream = upstreamOf('orders', [sick, well])
  const before = upstream.state

  upstream.state = { ...before, available: [well] }

  assert.equal(upstream.name, 'orders')
  assert.deepEqual(upstream.state.available, [well])
  assert.deepEqual(before.available, [sick, well])
})
