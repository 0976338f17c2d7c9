import assert from 'node:assert/strict'
import process from 'node:process'
import { test } from 'node:test'
import { balancers, createBalancer, learnerOf } from '../../../../lib/data-plane/balancer/index.ts'
import type { Attempt, Endpoint } from '../../../../types/model.ts'
import type { Balancer, Observer } from '../../../../types/policy.ts'
import { endpointAt, exchangeWith, still } from '../../samples.ts'

const tools = still({ random: Math.random })
const exchange = exchangeWith()
const names = ['power-of-two', 'round-robin', 'random', 'least-requests', 'peak-ewma', 'hash']

test('knows every balancer by the name that the options use', () => {
  assert.deepEqual([...balancers.keys()], names)
  for (const [name, definition] of balancers) assert.equal(definition.name, name)
})

for (const name of names) {
  test(`makes a ${name} that picks one of those that are available`, () => {
    const balance = createBalancer(name === 'hash' ? { name, key: () => String(Math.random()) } as { name: string } : name, tools)
    for (const count of [1, 2, 5]) {
      const list = Array.from({ length: count }, (_, index) => endpointAt(`http://10.0.0.${index}`))
      for (let pick = 0; pick < 50; pick++) assert.ok(list.includes(balance.pick(list, exchange)))
    }
  })
}

for (const name of names.filter((name) => name !== 'hash')) {
  test(`takes no options for ${name}, which may be given as an object with its name alone`, () => {
    assert.deepEqual(balancers.get(name)!.schema, { type: 'object', additionalProperties: false })
    const list = [endpointAt('http://a')]
    assert.equal(createBalancer({ name }, tools).pick(list, exchange), list[0])
  })
}

test('takes a balancer of the user, and leaves it as it is', () => {
  const list = [endpointAt('http://a'), endpointAt('http://b')]
  let count = 0
  const own: Balancer = Object.freeze({ pick: (available: readonly Endpoint[]) => available[count++ % 2]! })
  const balance = createBalancer(own, tools)

  assert.deepEqual([1, 2, 3].map(() => balance.pick(list, exchange).host), ['a', 'b', 'a'])
})

test('what a balancer of the user picks has to be one of the available', () => {
  const list = [endpointAt('http://a'), endpointAt('http://b')]
  for (const wrong of [undefined, null, 'http://a', endpointAt('http://a')]) {
    const balance = createBalancer({ pick: () => wrong } as unknown as Balancer, tools)
    assert.throws(() => balance.pick(list, exchange), TypeError)
  }
})

test('balancers that learn are told of attempts, the others are not', () => {
  const told: unknown[] = []
  const own: Balancer & Observer = { pick: ([first]) => first!, onAttempt (attempt) { told.push(this, attempt) } }
  const ewma = createBalancer('peak-ewma', tools)
  const attempt = {} as Attempt

  learnerOf(createBalancer(own, tools))!.onAttempt!(attempt)
  assert.deepEqual(told, [own, attempt])
  assert.equal(learnerOf(ewma), ewma)
  assert.equal(learnerOf(createBalancer('random', tools)), null)
  assert.equal(learnerOf(createBalancer({ pick: ([first]) => first! }, tools)), null)
})

test('what a balancer of the user throws when it is told of attempts is a warning, once, and nobody else hears of it', async (t) => {
  const warnings: Error[] = []
  const listen = (warning: Error): void => { if (warning.name === 'SluiceWarning') warnings.push(warning) }
  process.on('warning', listen)
  t.after(() => process.off('warning', listen))
  const learner = learnerOf(createBalancer({ pick: ([first]) => first!, onAttempt () { throw new Error('out of memory of my own') } } as Balancer & Observer, tools))!
  const attempt = { upstream: { name: 'orders' } } as Attempt

  learner.onAttempt!(attempt)
  learner.onAttempt!(attempt)
  await new Promise(setImmediate)

  assert.deepEqual(warnings.map(({ message }) => message), ["the balancer of upstream 'orders' fails in onAttempt: Error: out of memory of my own"])
})

test('a balancer of the user has a list of its own, the same one for as long as nothing changes', () => {
  const list = Object.freeze([endpointAt('http://b'), endpointAt('http://a')])
  const seen: (readonly Endpoint[])[] = []
  const balance = createBalancer({
    pick (available) {
      seen.push(available)
      return (available as Endpoint[]).sort((a, b) => a.host < b.host ? -1 : 1)[0]!
    }
  }, tools)

  assert.deepEqual([1, 2].map(() => balance.pick(list, exchange).host), ['a', 'a'])
  assert.equal(seen[0], seen[1])
  assert.deepEqual(balance.pick(list.slice(0, 1), exchange).host, 'b')
})
