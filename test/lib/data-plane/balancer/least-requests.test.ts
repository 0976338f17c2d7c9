import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leastRequests } from '../../../../lib/data-plane/balancer/least-requests.ts'
import { endpointAt, exchangeWith } from '../../samples.ts'

const exchange = exchangeWith()

// active and weight of a, b, c; the picks of three turns while nothing changes
const tables: [active: number[], weights: number[], picks: string][] = [
  [[3, 1, 2], [1, 1, 1], 'bbb'],
  [[9, 9, 8], [1, 1, 1], 'ccc'],
  // Of idle ones the heaviest.
  [[0, 0, 0], [1, 1, 2], 'ccc'],
  [[3, 1, 5], [4, 1, 1], 'aaa'],
  [[5], [1], 'aaa']
]

for (const [active, weights, picks] of tables) {
  test(`picks ${picks} of ${active.join(', ')} under way with weights ${weights.join(', ')}`, () => {
    const list = active.map((active, index) => endpointAt(`http://${'abc'[index]}`, { active, weight: weights[index]! }))
    const balance = leastRequests.create({}, { now: () => 0, random: Math.random })
    assert.equal([1, 2, 3].map(() => balance.pick(list, exchange).host).join(''), picks)
  })
}

test('endpoints that are equally busy take turns', () => {
  const list = ['a', 'b', 'c'].map((name) => endpointAt(`http://${name}`))
  const balance = leastRequests.create({}, { now: () => 0, random: Math.random })
  assert.equal(new Set([1, 2, 3].map(() => balance.pick(list, exchange).host)).size, 3)
})

test('under load the shares are those of the weights', () => {
  const list = [1, 2, 5].map((weight, index) => endpointAt(`http://${'abc'[index]}`, { weight }))
  const balance = leastRequests.create({}, { now: () => 0, random: Math.random })
  for (let count = 0; count < 80; count++) balance.pick(list, exchange).active++
  assert.deepEqual(list.map(({ active }) => active), [10, 20, 50])
})
