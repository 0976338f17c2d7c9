import assert from 'node:assert/strict'
import { test } from 'node:test'
import { indexAt, sumOfWeights, WeightedDraw } from '../../../../lib/data-plane/balancer/weights.ts'
import { dice } from '../../../helpers/dice.ts'
import { endpointAt } from '../../samples.ts'

const list = (...weights: number[]): ReturnType<typeof endpointAt>[] => weights.map((weight, index) => endpointAt(`http://10.0.0.${index}`, { weight }))

test('even weights need no sum', () => {
  assert.equal(sumOfWeights(list(1, 1, 1)), 0)
  assert.equal(sumOfWeights(list(0.5)), 0)
  assert.equal(sumOfWeights(list(1, 2, 3)), 6)
})

test('a place among the weights is an index, and what rounding leaves is the last', () => {
  const three = list(1, 2, 3)
  assert.deepEqual([0, 0.99, 1, 2.99, 3, 5.99, 6, 7].map((place) => indexAt(three, place)), [0, 0, 1, 1, 2, 2, 2, 2])
})

test('draws one by its weight, another whatever it weighs, and never the same', () => {
  const three = list(1, 2, 3)
  const draw = new WeightedDraw(dice(0.5, 0, 0.5, 0.99))
  assert.equal(draw.one(three), 2)
  assert.deepEqual([draw.another(three, 1), draw.another(three, 0), draw.another(three, 0)], [0, 2, 2])
})

test('a changed list is looked at anew', () => {
  const draw = new WeightedDraw(() => 0.4)
  assert.deepEqual([draw.one(list(1, 1)), draw.one(list(1, 9)), draw.one(list(9, 1))], [0, 1, 0])
})
