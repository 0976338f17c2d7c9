import assert from 'node:assert/strict'
import { test } from 'node:test'
import { roundRobin } from '../../../../lib/data-plane/balancer/round-robin.ts'
import type { Endpoint } from '../../../../types/model.ts'
import type { Balancer } from '../../../../types/policy.ts'
import { endpointAt, exchangeOver, still } from '../../samples.ts'

function balancer (): Balancer {
  return roundRobin.create({}, still({ random: () => assert.fail('takes turns, and no chances') }))
}

function endpoints (...weights: number[]): Endpoint[] {
  return weights.map((weight, index) => endpointAt(`http://${String.fromCharCode(97 + index)}`, { weight }))
}

function take (balance: Balancer, list: Endpoint[], count: number): string {
  const exchange = exchangeOver(list)
  return Array.from({ length: count }, () => balance.pick(list, exchange).host).join('')
}

test('is called round-robin', () => {
  assert.equal(roundRobin.name, 'round-robin')
})

// What nginx does with the same weights.
const orders: readonly (readonly [weights: number[], picks: string])[] = [
  [[1], 'aaaa'],
  [[1, 1], 'abababab'],
  [[1, 1, 1], 'abcabcabc'],
  [[2, 2, 2], 'abcabcabc'],
  [[5, 1, 1], 'aabacaaaabacaa'],
  [[2, 1], 'abaaba'],
  [[1, 3], 'babbbabb'],
  [[0.5, 1], 'babbab']
]

for (const [weights, picks] of orders) {
  test(`takes turns as ${picks} with weights of ${weights.join(', ')}`, () => {
    assert.equal(take(balancer(), endpoints(...weights), picks.length), picks)
  })
}

test('honours weights exactly over a round', () => {
  const picks = take(balancer(), endpoints(7, 2, 1), 1000)
  assert.deepEqual([...'abc'].map((host) => picks.split(host).length - 1), [700, 200, 100])
})

test('does not ask how busy an endpoint is', () => {
  const list = endpoints(1, 1)
  list[0]!.active = 100
  assert.equal(take(balancer(), list, 4), 'abab')
})

test('goes on with its turns after a retry has asked with a list of its own', () => {
  for (const weights of [[1, 1, 1], [2, 1, 1]]) {
    const list = endpoints(...weights)
    const undisturbed = take(balancer(), list, 12)
    const balance = balancer()
    const exchange = exchangeOver(list)
    let picks = ''
    for (let count = 0; count < 12; count++) {
      const first = balance.pick(list, exchange)
      picks += first.host
      // It failed, and the others are asked.
      assert.notEqual(balance.pick(list.filter((endpoint) => endpoint !== first), exchange), first)
    }
    assert.equal(picks, undisturbed)
  }
})

test('spreads the retries of one dead endpoint over all others', () => {
  const list = endpoints(1, 1, 1, 1)
  const balance = balancer()
  const exchange = exchangeOver(list)
  const retries = new Set<string>()
  for (let count = 0; count < 12; count++) {
    if (balance.pick(list, exchange) === list[0]) retries.add(balance.pick(list.slice(1), exchange).host)
  }
  assert.deepEqual([...retries].sort(), ['b', 'c', 'd'])
})

test('goes on with its turns when the list changes', () => {
  const balance = balancer()
  const [a, b, c, d] = endpoints(1, 1, 1, 1) as [Endpoint, Endpoint, Endpoint, Endpoint]
  assert.equal(take(balance, [a, b, c], 2), 'ab')
  assert.equal(take(balance, [a, b, c, d], 4), 'cdab', 'one has come')
  assert.equal(take(balance, [a, b, c], 2), 'ca', 'and gone')
  assert.equal(take(balance, [a, b], 2), 'ba')
})

test('serves a light endpoint in its turn although every request finds another list', () => {
  const balance = balancer()
  const list = endpoints(9, 10, 1)
  const picks = Array.from({ length: 200 }, () => take(balance, [...list], 1)).join('')
  assert.deepEqual([...'abc'].map((host) => picks.split(host).length - 1), [90, 100, 10])
})

test('keeps the turns of each priority while a part of the traffic goes to the next', () => {
  const balance = balancer()
  const [first, second] = [endpoints(2, 1), endpoints(1, 1)]
  const exchange = exchangeOver([...first, ...second])
  exchange.upstream.state = { ...exchange.upstream.state, tiers: [{ available: first, upTo: 0.5 }, { available: second, upTo: 1 }] }
  const picks = Array.from({ length: 6 }, () => [first, second].map((list) => balance.pick(list, exchange).host)).flat()
  assert.equal(picks.filter((_, index) => index % 2 === 0).join(''), 'abaaba')
  assert.equal(picks.filter((_, index) => index % 2 === 1).join(''), 'ababab')
})

test('takes its turns apart from those of any other upstream', () => {
  const list = endpoints(1, 1)
  const [one, other] = [balancer(), balancer()]
  assert.equal(take(one, list, 1) + take(other, list, 1) + take(one, list, 1), 'aab')
})
