import assert from 'node:assert/strict'
import { test } from 'node:test'
import { statsOf } from '../../../lib/control-plane/stats.ts'
import { health, rig } from './rig.ts'

test('stats tell of each endpoint what it is and why', async () => {
  const { monitor, endpoints, pools, attempt, pass, time } = rig(3, { health })
  pools[2]!.isUp = false
  monitor.start()
  await pass(10)
  endpoints[0]!.active = 2
  for (let count = 0; count < 3; count++) attempt(1, 503)

  const { orders } = statsOf([monitor], time.now()).upstreams
  assert.deepEqual({ ...orders, endpoints: orders!.endpoints.length }, { available: 2, isPanic: false, active: 2, tunnels: 0, ejectionOverflows: 0, endpoints: 3 })
  assert.deepEqual(orders!.endpoints[1], {
    origin: 'http://b',
    priority: 0,
    weight: 1,
    currentWeight: 1,
    isAvailable: false,
    health: 'healthy',
    isEjected: true,
    ejectedFor: 1000,
    ejections: 1,
    breaker: 'closed',
    active: 0,
    tunnels: 0,
    connections: { busy: 0, idle: 0, warm: 0, opening: 0 },
    probes: { passed: 1, failed: 0, lastFault: null }
  })
  assert.deepEqual([orders!.endpoints[2]!.health, orders!.endpoints[2]!.probes], ['unknown', { passed: 0, failed: 1, lastFault: 'ECONNREFUSED' }])
  monitor.close()
})

test('without checks there is nothing to tell of them', () => {
  const { monitor } = rig(1)
  assert.equal(statsOf([monitor], 0).upstreams['orders']!.endpoints[0]!.probes, null)
})
