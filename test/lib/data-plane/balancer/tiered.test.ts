import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TieredBalancer } from '../../../../lib/data-plane/balancer/tiered.ts'
import type { ProxyExchange } from '../../../../lib/model/exchange.ts'
import { dice } from '../../../helpers/dice.ts'
import { endpointAt, exchangeWith } from '../../samples.ts'

const [a, b, c] = ['a', 'b', 'c'].map((name) => endpointAt(`http://${name}`)) as [ReturnType<typeof endpointAt>, ReturnType<typeof endpointAt>, ReturnType<typeof endpointAt>]

function exchangeOver (tiers: ProxyExchange['upstream']['state']['tiers']): ProxyExchange {
  const exchange = exchangeWith()
  exchange.upstream.state = { ...exchange.upstream.state, endpoints: [a, b, c], available: [a, b, c], tiers }
  return exchange
}

const first = { pick: ([endpoint]: readonly (typeof a)[]) => endpoint! }
const tiers = [{ available: [a, b], upTo: 0.7 }, { available: [c], upTo: 1 }]

test('draws the priority by its share', () => {
  const exchange = exchangeOver(tiers)
  const balancer = new TieredBalancer(first, dice(0, 0.69, 0.7, 0.99))
  assert.equal([1, 2, 3, 4].map(() => balancer.pick(exchange.upstream.state.available, exchange).host).join(''), 'aacc')
})

test('a retry stays in its priority if another endpoint is there, and leaves it if not', () => {
  const exchange = exchangeOver(tiers)
  const balancer = new TieredBalancer(first, dice(0, 0, 0.9))
  assert.equal(balancer.pick([b, c], exchange), b)
  assert.equal(balancer.pick([c], exchange), c)
  assert.equal(balancer.pick([a, b], exchange), a)
})

test('without priorities nothing is drawn', () => {
  const exchange = exchangeOver(null)
  assert.equal(new TieredBalancer(first, () => assert.fail('nothing to draw')).pick([c], exchange), c)
})
