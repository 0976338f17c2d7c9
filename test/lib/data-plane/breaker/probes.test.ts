import assert from 'node:assert/strict'
import { test } from 'node:test'
import { admitsProbe, beginProbe, endProbe } from '../../../../lib/data-plane/breaker/probes.ts'
import type { Endpoint } from '../../../../types/model.ts'
import { endpointAt } from '../../samples.ts'

function halfOpen (probes: number): Endpoint {
  return Object.assign(endpointAt('http://10.0.0.1:3000'), { probes, probeTimeout: 5000, breaker: 'half-open', breakerSince: 1000 })
}

test('admits as many probes at one time as it may, and the next when one is judged', () => {
  const endpoint = halfOpen(2)
  const periods = [beginProbe(endpoint, 1000), beginProbe(endpoint, 1000)]
  assert.equal(admitsProbe(endpoint, 1001), false)
  endProbe(endpoint, periods[0]!)
  assert.equal(admitsProbe(endpoint, 1001), true)
})

test('what is active otherwise is no probe', () => {
  const endpoint = halfOpen(1)
  endpoint.active = 100
  endpoint.tunnels = 50
  assert.equal(admitsProbe(endpoint, 1000), true)
})

test('a probe that nobody has judged keeps the next one out for a time only', () => {
  const endpoint = halfOpen(1)
  beginProbe(endpoint, 1000)
  assert.deepEqual([admitsProbe(endpoint, 5999), admitsProbe(endpoint, 6000)], [false, true])
  beginProbe(endpoint, 6000)
  assert.deepEqual([admitsProbe(endpoint, 6001), admitsProbe(endpoint, 11_000)], [false, true])
})

test('a probe of the time before frees no place', () => {
  const endpoint = halfOpen(1)
  const period = beginProbe(endpoint, 1000)
  Object.assign(endpoint, { breakerSince: 7000, probing: 0 })
  beginProbe(endpoint, 7000)
  endProbe(endpoint, period)
  assert.equal(admitsProbe(endpoint, 7001), false)
  Object.assign(endpoint, { breaker: 'closed', probing: 0 })
  endProbe(endpoint, 7000)
  assert.equal(endpoint.probing, 0)
})
