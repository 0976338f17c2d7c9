import assert from 'node:assert/strict'
import { test } from 'node:test'
import { random } from '../../../../lib/data-plane/balancer/random.ts'
import { dice } from '../../../helpers/dice.ts'
import { endpointAt, exchangeWith } from '../../samples.ts'

const exchange = exchangeWith()

function picks (weights: number[], ...throws: number[]): string {
  const list = weights.map((weight, index) => endpointAt(`http://${'abc'[index]}`, { weight }))
  const balance = random.create({}, { now: () => 0, random: dice(...throws) })
  return throws.map(() => balance.pick(list, exchange).host).join('')
}

// weights, throws, picks
const draws: [number[], number[], string][] = [
  [[1, 1, 1], [0, 0.34, 0.99], 'abc'],
  [[2, 2], [0.49, 0.5], 'ab'],
  [[3, 1], [0, 0.74, 0.76, 0.9999], 'aabb'],
  [[0.1, 0.1, 0.2], [0.24, 0.26, 0.51], 'abc'],
  [[5], [0.9], 'a']
]

for (const [weights, throws, expected] of draws) {
  test(`draws ${expected} of weights ${weights.join(', ')} with ${throws.join(', ')}`, () => {
    assert.equal(picks(weights, ...throws), expected)
  })
}

test('takes no notice of how busy they are', () => {
  const list = [endpointAt('http://a', { active: 100 }), endpointAt('http://b')]
  assert.equal(random.create({}, { now: () => 0, random: () => 0 }).pick(list, exchange).host, 'a')
})
