import assert from 'node:assert/strict'
import { test } from 'node:test'
import { powerOfTwo } from '../../../../lib/data-plane/balancer/power-of-two.ts'
import type { Endpoint } from '../../../../types/model.ts'
import type { Balancer } from '../../../../types/policy.ts'
import { dice } from '../../../helpers/dice.ts'
import { endpointAt, exchangeWith, seeded, still } from '../../samples.ts'

const exchange = exchangeWith()

function balancer (random: () => number): Balancer {
  return powerOfTwo.create({}, still({ random }))
}

/** Endpoints a, b, c, …: as busy, and as heavy, as these numbers say. */
function endpoints (active: number[], weights: number[] = []): Endpoint[] {
  return active.map((active, index) => endpointAt(`http://${String.fromCharCode(97 + index)}`, { active, weight: weights[index] ?? 1 }))
}

function pick (list: Endpoint[], ...throws: number[]): string {
  return balancer(dice(...throws)).pick(list, exchange).host
}

/** Percentages of 20,000 picks. What is picked stays under way until `concurrency` others have been picked. */
function shares (list: Endpoint[], concurrency = 0): number[] {
  const balance = balancer(seeded(7))
  const counts = new Map(list.map((endpoint) => [endpoint, 0]))
  const underWay: Endpoint[] = []
  for (let count = 0; count < 20_000; count++) {
    const endpoint = balance.pick(list, exchange)
    counts.set(endpoint, counts.get(endpoint)! + 1)
    endpoint.active++
    underWay.push(endpoint)
    if (underWay.length > concurrency) underWay.shift()!.active--
  }
  return [...counts.values()].map((count) => count / 200)
}

function assertNear (actual: number[], expected: number[], points: number): void {
  for (const [index, share] of expected.entries()) assert.ok(Math.abs(actual[index]! - share) <= points, `${actual.join(', ')}, not ${expected.join(', ')}`)
}

test('is called power-of-two', () => {
  assert.equal(powerOfTwo.name, 'power-of-two')
})

test('takes the only endpoint without a throw of the dice', () => {
  const random = (): number => assert.fail('nothing to draw')
  const list = endpoints([9])
  assert.equal(balancer(random).pick(list, exchange), list[0])
})

// The first throw draws one of three, the second one of the other two.
const draws: readonly (readonly [active: number[], throws: [number, number], chosen: string])[] = [
  [[0, 0, 0], [0, 0], 'a'], [[0, 0, 0], [0.34, 0], 'b'], [[0, 0, 0], [0.99, 0.99], 'c'],
  [[1, 0, 0], [0, 0], 'b'], [[1, 0, 0], [0, 0.5], 'c'], [[1, 0, 0], [0.34, 0], 'b'], [[0, 1, 0], [0.34, 0], 'a'], [[0, 1, 0], [0.34, 0.5], 'c'],
  [[0, 0, 5], [0.99, 0], 'a'], [[0, 0, 5], [0.99, 0.99], 'b'],
  // The least busy of all is not looked at unless it is drawn.
  [[3, 2, 0], [0, 0], 'b'],
  [[2, 2, 2], [0.34, 0.5], 'b']
]

for (const [active, throws, chosen] of draws) {
  test(`takes ${chosen} of endpoints with ${active.join(', ')} under way when it throws ${throws.join(' and ')}`, () => {
    assert.equal(pick(endpoints(active), ...throws), chosen)
  })
}

test('draws two that differ, whatever it throws', () => {
  const throws = [0, 0.2499, 0.25, 0.5, 0.75, 0.999999999, 1 - 2 ** -53]
  for (const first of throws) {
    for (const second of throws) {
      // Were the same one drawn twice, it would win against itself, busy as it is.
      for (const busy of [0, 1, 2, 3]) {
        const active = [0, 0, 0, 0]
        active[busy] = 100
        assert.notEqual(pick(endpoints(active), first, second), 'abcd'[busy])
      }
    }
  }
})

test('spreads requests evenly over equal endpoints, idle or busy', () => {
  for (const concurrency of [0, 10, 100]) {
    assertNear(shares(endpoints([0, 0, 0, 0]), concurrency), [25, 25, 25, 25], 1.5)
  }
})

test('gives endpoints their shares by weight while they are idle', () => {
  assertNear(shares(endpoints([0, 0], [3, 1])), [75, 25], 1.5)
  assertNear(shares(endpoints([0, 0, 0], [5, 3, 2])), [50, 30, 20], 1.5)
  assertNear(shares(endpoints([0, 0, 0], [1, 1, 0.5])), [40, 40, 20], 1.5)
})

test('gives endpoints their shares by weight under load', () => {
  assertNear(shares(endpoints([0, 0], [3, 1]), 100), [75, 25], 3)
  assertNear(shares(endpoints([0, 0, 0], [2, 1, 1]), 200), [50, 25, 25], 3)
})

// Two endpoints of weight 3 and 1, the first throw draws by weight, the last decides where the other has room for a part of the request.
const weighted: readonly (readonly [active: number[], first: number, last: number, chosen: string])[] = [
  [[0, 0], 0, 0, 'a'], [[0, 0], 0.74, 0, 'a'], [[0, 0], 0.76, 0, 'b'],
  // Three times the weight bears three times the load before the other is as well off.
  [[3, 0], 0, 0.99, 'b'], [[6, 1], 0, 0.99, 'b'], [[3, 1], 0, 0, 'a'], [[0, 1], 0.99, 0.99, 'a'], [[3, 1], 0.99, 0, 'b'],
  // Room for two thirds of a request: in four of nine cases.
  [[2, 0], 0, 0.44, 'b'], [[2, 0], 0, 0.45, 'a'], [[5, 1], 0, 0.44, 'b'], [[5, 1], 0, 0.45, 'a'],
  [[1, 0], 0, 0.11, 'b'], [[1, 0], 0, 0.12, 'a'], [[2, 1], 0.99, 0.99, 'a']
]

for (const [active, first, last, chosen] of weighted) {
  test(`takes ${chosen} of weights 3 and 1 with ${active.join(' and ')} under way when it throws ${first} and ${last}`, () => {
    assert.equal(pick(endpoints(active, [3, 1]), first, 0, last), chosen)
  })
}

test('throws the dice twice where weights are equal', () => {
  for (const weight of [1, 0.1, 0.3, 7]) {
    for (let active = 0; active < 50; active++) {
      let thrown = 0
      const balance = balancer(() => (thrown++ % 2) / 2)
      balance.pick(endpoints([active, 17], [weight, weight]), exchange)
      assert.equal(thrown, 2)
    }
  }
})

test('leaves to the last endpoint what rounding leaves over', () => {
  assert.equal(pick(endpoints([0, 0, 0], [0.1, 0.2, 0.7]), 1 - 2 ** -53, 0), 'c')
})

test('measures a changed list anew', () => {
  const balance = balancer(dice(0.9, 0))
  const list = endpoints([0, 0], [99, 1])
  assert.equal(balance.pick(list, exchange).host, 'a')
  assert.equal(balance.pick(endpoints([0, 0], [1, 1]), exchange).host, 'b')
  assert.equal(balance.pick(list, exchange).host, 'a')
})
