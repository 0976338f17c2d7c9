import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseVariant, fallBack } from '../../../lib/data-plane/canary.ts'
import { ProxyError, proxyError } from '../../../lib/errors.ts'
import { ProxyCanary } from '../../../lib/model/canary.ts'
import type { Canary } from '../../../types/model.ts'
import { dice } from '../../helpers/dice.ts'
import { endpointAt, exchangeWith, seeded, still, upstreamOf } from '../samples.ts'

type Rules = Partial<ConstructorParameters<typeof ProxyCanary>[0]>

function canary (rules: Rules, isEmpty = false): Canary {
  const endpoints = [endpointAt('http://10.0.0.9')]
  const { name = 'next' } = rules
  return new ProxyCanary({
    upstream: upstreamOf(name, endpoints, isEmpty ? [] : endpoints),
    header: null,
    cookie: null,
    values: null,
    sticky: null,
    onEmpty: 'stable',
    fallback: false,
    weight: 0,
    ...rules,
    name
  })
}

function choose (canaries: Canary[], headers: Record<string, string | string[]> = {}, random: () => number = dice(0.5)): string {
  const exchange = exchangeWith({ headers })
  chooseVariant(exchange, canaries, still({ random }))
  const isStable = exchange.canary === null
  assert.equal(exchange.upstream, isStable ? exchange.route.upstream : exchange.canary!.upstream)
  assert.equal(exchange.variantReason === null, isStable)
  return isStable ? 'stable' : `${exchange.variant} by ${exchange.variantReason}`
}

const byHeader = { header: 'x-canary' }
const byCookie = { cookie: 'canary' }
const beta = { ...byHeader, values: new Set(['beta', 'v2']) }
const full = canary({ weight: 100 })

const decisions: readonly (readonly [what: string, canaries: readonly Rules[], headers: Record<string, string | string[]>, chosen: string])[] = [
  ...['true', '1', 'always', 'TRUE', ' Always '].map((value) => [`the header '${value}'`, [byHeader], { 'x-canary': value }, 'next by header'] as const),
  ...['false', '0', 'never', 'FALSE', ' Never '].map((value) => [`the header '${value}', over any weight`, [{ ...byHeader, weight: 100 }], { 'x-canary': value }, 'stable'] as const),
  ...['', 'yes', 'truely', '2', 'true, true', '\u00e4', 'x'.repeat(10_000)].map((value) => [`the header '${value.slice(0, 20)}', which says nothing`, [{ ...byHeader, weight: 100 }], { 'x-canary': value }, 'next by weight'] as const),
  ['no header', [byHeader], {}, 'stable'],
  ['a header that is a list', [{ header: 'set-cookie' }], { 'set-cookie': ['true'] }, 'stable'],
  ['one of the values', [beta], { 'x-canary': ' BETA ' }, 'next by header'],
  ['another of the values', [beta], { 'x-canary': 'v2' }, 'next by header'],
  ['none of the values', [beta], { 'x-canary': 'true' }, 'stable'],
  ['none of the values, with a weight', [{ ...beta, weight: 100 }], { 'x-canary': 'false' }, 'next by weight'],
  ['a pattern that matches', [{ ...byHeader, values: /^beta-\d$/i }], { 'x-canary': 'Beta-7' }, 'next by header'],
  ['a pattern that does not match', [{ ...byHeader, values: /^beta-\d$/i }], { 'x-canary': 'beta-x' }, 'stable'],
  ['a pattern, and 4,096 characters', [{ ...byHeader, values: /a/i }], { 'x-canary': 'a'.repeat(4096) }, 'next by header'],
  ['a pattern, and more text than it should be given', [{ ...byHeader, values: /a/i }], { 'x-canary': 'a'.repeat(4097) }, 'stable'],
  ['the cookie', [byCookie], { cookie: 'a=b; canary=always' }, 'next by cookie'],
  ['the cookie, over any weight', [{ ...byCookie, weight: 100 }], { cookie: 'canary=never' }, 'stable'],
  ['a cookie of one of the values', [{ ...byCookie, values: new Set(['beta']) }], { cookie: 'canary=Beta' }, 'next by cookie'],
  ['the cookie of another name', [byCookie], { cookie: 'canaries=true' }, 'stable'],
  ['header before cookie', [{ ...byHeader, ...byCookie }], { 'x-canary': 'true', cookie: 'canary=false' }, 'next by header'],
  ['header before cookie, the other way round', [{ ...byHeader, ...byCookie }], { 'x-canary': 'false', cookie: 'canary=true' }, 'stable'],
  ['the cookie, when the header says nothing', [{ ...byHeader, ...byCookie }], { 'x-canary': '?', cookie: 'canary=true' }, 'next by cookie'],
  ['the weight, when neither says anything', [{ ...byHeader, ...byCookie, weight: 100 }], { 'x-canary': '?', cookie: 'canary=?' }, 'next by weight'],
  ['v1 of an A/B test', [{ name: 'a', header: 'x-ab', values: new Set(['v1']) }, { name: 'b', header: 'x-ab', values: new Set(['v2']) }], { 'x-ab': 'v1' }, 'a by header'],
  ['v2 of an A/B test', [{ name: 'a', header: 'x-ab', values: new Set(['v1']) }, { name: 'b', header: 'x-ab', values: new Set(['v2']) }], { 'x-ab': 'v2' }, 'b by header'],
  ['neither of an A/B test', [{ name: 'a', header: 'x-ab', values: new Set(['v1']) }, { name: 'b', header: 'x-ab', values: new Set(['v2']) }], { 'x-ab': 'v3' }, 'stable'],
  ['the first of two that match', [{ name: 'a', header: 'x-a' }, { name: 'b', header: 'x-b' }], { 'x-a': 'true', 'x-b': 'true' }, 'a by header'],
  ['a header of the second before a cookie of the first', [{ name: 'a', cookie: 'a' }, { name: 'b', header: 'x-b' }], { cookie: 'a=true', 'x-b': 'true' }, 'b by header'],
  ['a cookie of the second before a weight of the first', [{ name: 'a', weight: 100 }, { name: 'b', cookie: 'b' }], { cookie: 'b=1' }, 'b by cookie'],
  ['the first of two weights that both draw', [{ name: 'a', weight: 100 }, { name: 'b', weight: 100 }], {}, 'a by weight'],
  ['the second, when the first has no weight', [{ name: 'a' }, { name: 'b', weight: 100 }], {}, 'b by weight']
]

for (const [what, canaries, headers, chosen] of decisions) {
  test(`goes by ${what}: ${chosen}`, () => {
    assert.equal(choose(canaries.map((rules) => canary(rules)), headers), chosen)
  })
}

test('draws once for every canary that has a weight, in hundredths of a per cent', () => {
  const draws: readonly (readonly [weight: number, thrown: number, isCanary: boolean])[] = [
    [0, 0, false], [0.01, 0, true], [0.01, 0.00009, true], [0.01, 0.0001, false], [12.34, 0.12339, true], [12.34, 0.1234, false], [50, 0.5, false], [99.99, 0.9999, false], [100, 0.999999, true]
  ]
  for (const [weight, thrown, isCanary] of draws) {
    assert.equal(choose([canary({ weight })], {}, dice(thrown)), isCanary ? 'next by weight' : 'stable', `${weight} %, ${thrown}`)
  }
  const both = [canary({ name: 'a', weight: 50 }), canary({ name: 'b', weight: 50 })]
  assert.equal(choose(both, {}, dice(0.7, 0.2)), 'b by weight')
  assert.equal(choose(both, {}, dice(0.7, 0.8)), 'stable')
})

for (const weight of [0, 1, 5, 20, 33.33, 50, 75, 99, 100]) {
  test(`sends ${weight} % of 500 requests to the canary, give or take 5 points`, () => {
    const random = seeded(weight)
    const taken = Array.from({ length: 500 }, () => choose([canary({ weight })], {}, random)).filter((chosen) => chosen !== 'stable').length
    assert.ok(Math.abs(taken / 5 - weight) <= 5, `${taken / 5} %`)
    if (weight === 0 || weight === 100) assert.equal(taken, weight * 5)
  })
}

const users = Array.from({ length: 5000 }, (_, index) => `user-${index}`)

/** Those of the users whom a weight sends to the canary; chance, if it were asked, would send nobody. */
function takenAt (weight: number, name = 'next'): Set<string> {
  const sticky: Rules['sticky'] = ({ headers }) => headers['x-user'] as string
  return new Set(users.filter((user) => choose([canary({ name, weight, sticky })], { 'x-user': user }, dice(0.9999999)) !== 'stable'))
}

test('keeps a user on one side while the weight is unchanged, and sends the share of users that it names', () => {
  for (const weight of [0, 1, 10, 50, 90, 100]) {
    const taken = takenAt(weight)
    assert.deepEqual(takenAt(weight), taken)
    assert.ok(Math.abs(taken.size / 50 - weight) <= 1.5, `${taken.size / 50} % of ${weight} %`)
  }
})

test('moves users from stable to canary only when the weight grows, and back only when it shrinks', () => {
  let before = takenAt(0)
  for (const weight of [0.5, 1, 5, 5.01, 20, 50, 80, 99.9, 100]) {
    const taken = takenAt(weight)
    assert.ok(taken.size >= before.size)
    for (const user of before) assert.ok(taken.has(user), `${user} flipped back at ${weight} %`)
    before = taken
  }
  assert.equal(before.size, users.length)
})

test('does not move the same users for every canary', () => {
  const first = takenAt(50, 'first')
  const both = [...takenAt(50, 'second')].filter((user) => first.has(user)).length
  assert.ok(Math.abs(both / 50 - 25) <= 3, `${both / 50} % on both`)
})

test('decides for a key alike in every process', () => {
  const weights = ['alice', 'bob', 'carol', '42', 'Ünïcode'].map((user) => {
    let weight = 0
    while (choose([canary({ weight, sticky: () => user })]) === 'stable') weight++
    return weight
  })
  assert.deepEqual(weights, [60, 25, 74, 48, 94])
})

test('leaves whoever has no key to chance', () => {
  for (const key of [undefined, '', null as unknown as undefined]) {
    const draw = (thrown: number): string => choose([canary({ weight: 50, sticky: () => key })], {}, dice(thrown))
    assert.deepEqual([draw(0.49), draw(0.51)], ['next by weight', 'stable'])
  }
})

test('takes a number for a key like its digits', () => {
  for (let id = 0; id < 50; id++) {
    const sideOf = (key: unknown): string => choose([canary({ weight: 50, sticky: () => key as string })])
    assert.equal(sideOf(id), sideOf(String(id)))
  }
})

test('serves from stable, and counts it, when the canary has no endpoint', () => {
  const empty = canary({ header: 'x-canary', weight: 100 }, true)
  assert.equal(choose([empty, full], { 'x-canary': 'true' }), 'stable')
  assert.equal(choose([empty], {}), 'stable')
  assert.equal(choose([empty], { 'x-canary': 'false' }), 'stable')
  assert.equal(empty.fallbacks, 2)
})

test('fails instead where the canary says so', () => {
  const empty = canary({ weight: 100, onEmpty: 'fail' }, true)
  assert.throws(() => choose([empty]), (error) => error instanceof ProxyError && error.error === 'no_healthy_upstream' && error.statusCode === 503)
  assert.equal(empty.fallbacks, 0)
})

test('goes by a weight that has changed since, for the next exchange', () => {
  const changing = canary({ weight: 0 })
  assert.equal(choose([changing]), 'stable')
  changing.weight = 100
  assert.equal(choose([changing]), 'next by weight')
})

test('an exchange whose canary has run out of endpoints meanwhile goes back to the stable side, once it may', () => {
  const error = proxyError('circuit_open', 'select')
  const exchange = (rules: Rules, attempts = 0) => {
    const chosen = exchangeWith()
    chooseVariant(chosen, [canary({ weight: 100, ...rules })], still({ random: dice(0) }))
    return Object.assign(chosen, { attempts })
  }

  const taken = exchange({})
  const rule = taken.canary!
  assert.equal(fallBack(taken, error), true)
  assert.deepEqual([taken.canary, taken.variantReason, taken.upstream, rule.fallbacks], [null, null, taken.route.upstream, 1])
  assert.equal(fallBack(taken, error), false, 'it is there already')
  assert.equal(fallBack(exchange({}), proxyError('no_healthy_upstream', 'select')), true)
  assert.equal(fallBack(exchange({}), proxyError('queue_timeout', 'select')), false)
  assert.equal(fallBack(exchange({}), new Error('x')), false)
  assert.equal(fallBack(exchange({ onEmpty: 'fail' }), error), false)
  assert.equal(fallBack(exchange({}, 1), error), false, 'it has been sent')
})
