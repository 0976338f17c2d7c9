import assert from 'node:assert/strict'
import { test } from 'node:test'
import { balancers } from '../../../../lib/data-plane/balancer/index.ts'
import { endpointAt, exchangeWith } from '../../samples.ts'

test('knows every balancer by the name that the options use', () => {
  assert.deepEqual([...balancers.keys()], ['power-of-two', 'round-robin'])
  for (const [name, definition] of balancers) assert.equal(definition.name, name)
})

for (const [name, definition] of balancers) {
  test(`makes a ${name} that picks one of those that are available`, () => {
    const balance = definition.create({}, { now: () => 0, random: Math.random })
    for (const count of [1, 2, 5]) {
      const list = Array.from({ length: count }, (_, index) => endpointAt(`http://10.0.0.${index}`))
      for (let pick = 0; pick < 50; pick++) assert.ok(list.includes(balance.pick(list, exchangeWith())))
    }
  })

  test(`takes no options for ${name}`, () => {
    assert.deepEqual(definition.schema, { type: 'object', additionalProperties: false })
  })
}
