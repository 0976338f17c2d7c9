import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leastRequests } from '../../../../lib/data-plane/balancer/least-requests.ts'
import type { Endpoint } from '../../../../types/model.ts'
import { endpointAt, exchangeOver, still } from '../../samples.ts'

function endpoints (weights: number[], active: number[] = []): Endpoint[] {
  return weights.map((weight, index) => endpointAt(`http://${String.fromCharCode(97 + index)}`, { weight, active: active[index] ?? 0 }))
}

/** The picks of a balancer of its own while nothing changes. */
function take (list: Endpoint[], count: number): string {
  const balance = leastRequests.create({}, still())
  const exchange = exchangeOver(list)
  return Array.from({ length: count }, () => balance.pick(list, exchange).host).join('')
}

// active and weight of a, b, c; the picks of so many turns
const tables: [active: number[], weights: number[], picks: string][] = [
  [[3, 1, 2], [1, 1, 1], 'bbb'],
  [[9, 9, 8], [1, 1, 1], 'ccc'],
  // Idle ones in turns, by weight.
  [[0, 0, 0], [1, 1, 1], 'abcabc'],
  [[0, 0, 0], [1, 1, 2], 'cabccabc'],
  [[0, 0], [1, 3], 'babbbabb'],
  // Behind a busy one too, nobody has two turns in a row.
  [[0, 0, 9], [1, 1, 1], 'ababab'],
  [[3, 1, 5], [4, 1, 1], 'aaa'],
  // With one more, the light one would be busier than the heavy one is: neither is less busy.
  [[0, 1], [1, 3], 'babbbabb'],
  [[0, 3], [1, 3], 'aaa'],
  [[5], [1], 'aaa']
]

for (const [active, weights, picks] of tables) {
  test(`picks ${picks} of ${active.join(', ')} under way with weights ${weights.join(', ')}`, () => {
    assert.equal(take(endpoints(weights, active), picks.length), picks)
  })
}

test('idle endpoints of weights 9 and 10 are served 9:10', () => {
  const picks = take(endpoints([9, 10]), 190)
  assert.deepEqual([...'ab'].map((host) => picks.split(host).length - 1), [90, 100])
})

test('an endpoint that was too busy for long is not given everything afterwards', () => {
  const list = endpoints([1, 1])
  const balance = leastRequests.create({}, still())
  const exchange = exchangeOver(list)
  list[0]!.active = 50
  for (let count = 0; count < 1000; count++) assert.equal(balance.pick(list, exchange), list[1])
  list[0]!.active = 0
  const picks = Array.from({ length: 40 }, () => balance.pick(list, exchange).host).join('')
  assert.ok(picks.indexOf('b') <= 6, picks)
})

test('a retry does not disturb the turns of the others', () => {
  for (const weights of [[1, 1, 1], [2, 1, 1]]) {
    const list = endpoints(weights)
    const balance = leastRequests.create({}, still())
    const exchange = exchangeOver(list)
    let picks = ''
    for (let count = 0; count < 12; count++) {
      const first = balance.pick(list, exchange)
      picks += first.host
      assert.notEqual(balance.pick(list.filter((endpoint) => endpoint !== first), exchange), first)
    }
    assert.equal(picks, take(endpoints(weights), 12))
  }
})

test('under load the shares are those of the weights', () => {
  const list = endpoints([1, 2, 5])
  const balance = leastRequests.create({}, still())
  const exchange = exchangeOver(list)
  for (let count = 0; count < 80; count++) balance.pick(list, exchange).active++
  assert.deepEqual(list.map(({ active }) => active), [10, 20, 50])
})
