import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hash, type HashKey } from '../../../../lib/data-plane/balancer/hash.ts'
import { createBalancer } from '../../../../lib/data-plane/balancer/index.ts'
import type { CallerKey } from '../../../../types/options.ts'
import type { Balancer } from '../../../../types/policy.ts'
import { endpointAt, exchangeWith, seeded } from '../../samples.ts'

function balancer (key: HashKey): Balancer {
  return hash.create({ key }, { now: () => 0, random: seeded(3) })
}

const byUser = (): Balancer => balancer({ header: 'X-User' })
const exchangeOf = (user: string): ReturnType<typeof exchangeWith> => exchangeWith({ headers: { 'x-user': user } })
const four = ['a', 'b', 'c', 'd'].map((name) => endpointAt(`http://${name}`))
const users = Array.from({ length: 4000 }, (_, index) => `user-${index}`)

test('a key stays on its endpoint, whatever else is going on', () => {
  const balance = byUser()
  for (const user of users.slice(0, 100)) {
    const first = balance.pick(four, exchangeOf(user))
    first.active = 1000
    assert.equal(balance.pick(four, exchangeOf(user)), first)
    assert.equal(byUser().pick([...four].reverse(), exchangeOf(user)), first, 'another replica, which lists them in another order')
    first.active = 0
  }
})

test('keys are spread evenly, those that differ in one character too', () => {
  const balance = byUser()
  const counts = new Map(four.map((endpoint) => [endpoint, 0]))
  for (const user of users) {
    const endpoint = balance.pick(four, exchangeOf(user))
    counts.set(endpoint, counts.get(endpoint)! + 1)
  }
  for (const count of counts.values()) assert.ok(Math.abs(count - 1000) < 120, [...counts.values()].join(', '))
})

test('when an endpoint goes its own keys move, to all others, and no other key moves', () => {
  const balance = byUser()
  const without = four.filter((endpoint) => endpoint.host !== 'c')
  const moved = new Set<string>()
  for (const user of users) {
    const before = balance.pick(four, exchangeOf(user))
    const after = balance.pick(without, exchangeOf(user))
    if (before.host === 'c') moved.add(after.host)
    else assert.equal(after, before)
  }
  assert.deepEqual([...moved].sort(), ['a', 'b', 'd'])
})

test('weights are honoured, and changing one moves keys to or from that endpoint only', () => {
  const balance = byUser()
  const light = [1, 1, 2].map((weight, index) => endpointAt(`http://${'abc'[index]}`, { weight }))
  const heavy = [1, 1, 4].map((weight, index) => endpointAt(`http://${'abc'[index]}`, { weight }))
  const counts = [0, 0, 0]
  for (const user of users) {
    const before = balance.pick(light, exchangeOf(user))
    const after = balance.pick(heavy, exchangeOf(user))
    counts[light.indexOf(before)]!++
    if (after.host !== before.host) assert.equal(after.host, 'c')
  }
  for (const [index, share] of [0.25, 0.25, 0.5].entries()) assert.ok(Math.abs(counts[index]! / users.length - share) < 0.03, counts.join(', '))
})

const requests: [what: string, key: HashKey, request: Parameters<typeof exchangeWith>[0]][] = [
  ['a header', { header: 'X-User' }, { headers: { 'x-user': 'kim' } }],
  ['a cookie', { cookie: 'user' }, { headers: { cookie: 'a=b; user=kim' } }],
  ['a function', (request) => (request.params as Record<string, string>)['user'], { params: { user: 'kim' } }]
]

for (const [what, key, request] of requests) {
  test(`the key may come from ${what}`, () => {
    const expected = byUser().pick(four, exchangeOf('kim'))
    assert.equal(balancer(key).pick(four, exchangeWith(request)), expected)
  })
}

test('endpoints of one origin that differ in their paths are told apart', () => {
  const balance = byUser()
  const two = [endpointAt('http://a/one'), endpointAt('http://a/two')]
  assert.equal(new Set(users.map((user) => balance.pick(two, exchangeOf(user)))).size, 2)
})

const noKeys: [string, HashKey][] = [
  ['no key', { header: 'x-user' }], ['an empty one', () => ''], ['null', () => null], ['a number that was not sent', () => NaN]
]

for (const [what, key] of noKeys) {
  test(`a request with ${what} goes to the less busy of two`, () => {
    const busy = [endpointAt('http://a', { active: 9 }), endpointAt('http://b')]
    const balance = balancer(key)
    for (let count = 0; count < 20; count++) assert.equal(balance.pick(busy, exchangeWith()).host, 'b')
  })
}

test('numbers and ids are keys like their texts', () => {
  for (const id of users.slice(0, 50).map((_, index) => index * 7919)) {
    const expected = byUser().pick(four, exchangeOf(String(id)))
    for (const key of [id, BigInt(id), { toString: () => String(id) }]) {
      assert.equal(balancer(() => key).pick(four, exchangeWith()), expected)
    }
  }
})

test('a key that is a promise or a plain object is refused, and the option named', () => {
  for (const key of [Promise.resolve('kim'), Promise.reject(new Error('rejected')), {}] as CallerKey[]) {
    assert.throws(() => balancer(() => key).pick(four, exchangeWith()), /^TypeError: `balancer\.key` must return a key, not /)
  }
})

test('is made from the options by name', () => {
  const balance = createBalancer({ name: 'hash', key: { header: 'x-user' } } as { name: string }, { now: () => 0, random: Math.random })
  assert.equal(balance.pick(four, exchangeOf('kim')), byUser().pick(four, exchangeOf('kim')))
})
