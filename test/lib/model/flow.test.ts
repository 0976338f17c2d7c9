import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Flow, openFlow } from '../../../lib/model/flow.ts'
import { exchangeWith } from '../samples.ts'

test('an exchange is one flow, with nothing counted yet', () => {
  const flows = new Set<Flow>()
  const exchange = exchangeWith()
  openFlow(flows, exchange)
  openFlow(flows, exchange)

  assert.deepEqual([...flows], [exchange.flow])
  assert.deepEqual([exchange.flow!.exchange, exchange.flow!.bytesIn, exchange.flow!.bytesOut], [exchange, 0, 0])
})

test('where nobody counts there is none', () => {
  const exchange = exchangeWith()
  openFlow(null, exchange)
  assert.equal(exchange.flow, null)
})

test('an exchange that is over is none any more', () => {
  const flows = new Set<Flow>()
  const exchange = Object.assign(exchangeWith(), { endedAt: 1 })
  openFlow(flows, exchange)
  assert.deepEqual([flows.size, exchange.flow], [0, null])
})
