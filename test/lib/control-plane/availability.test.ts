import assert from 'node:assert/strict'
import { test } from 'node:test'
import { availabilityOf } from '../../../lib/control-plane/availability.ts'
import type { Endpoint } from '../../../types/model.ts'
import { endpointAt } from '../samples.ts'

/**
 * `a` is well; `u` unhealthy, `e` ejected, `o` open, `h` half-open, `?` unknown, `z` well and of weight 0; a digit in front is the priority
 * of those that follow.
 */
function endpoints (text: string): Endpoint[] {
  let priority = 0
  const list: Endpoint[] = []
  for (const letter of text) {
    if (/\d/.test(letter)) {
      priority = Number(letter)
      continue
    }
    const endpoint = endpointAt(`http://${'abcdefghij'[list.length]}`, { priority, weight: letter === 'z' ? 0 : 1 })
    endpoint.health = letter === 'u' ? 'unhealthy' : letter === '?' ? 'unknown' : 'healthy'
    if (letter === 'e') endpoint.ejectedUntil = 1
    if (letter === 'o' || letter === 'h') endpoint.breaker = letter === 'o' ? 'open' : 'half-open'
    list.push(endpoint)
  }
  return list
}

const hosts = (list: readonly Endpoint[]): string => list.map(({ host }) => host).join('')

// endpoints, available, panic
const single: [string, string, boolean][] = [
  ['aaa', 'abc', false],
  ['???', 'abc', false],
  ['aua', 'ac', false],
  ['eau', 'b', false],
  ['oah', 'bc', false],
  ['uue', 'abc', true],
  ['uoe', 'ac', true],
  ['ooo', '', true],
  ['u', 'a', true],
  ['o', '', true],
  // Endpoints that were taken out are none of them, in panic neither.
  ['aza', 'ac', false],
  ['uz', 'a', true],
  ['oz', '', true],
  ['z', '', false],
  ['zz', '', false]
]

for (const [states, expected, isPanic] of single) {
  test(`of ${states} the available are ${expected === '' ? 'none' : expected}${isPanic ? ', in panic' : ''}`, () => {
    const result = availabilityOf(endpoints(states))
    assert.deepEqual([hosts(result.available), result.tiers, result.isPanic], [expected, null, isPanic])
  })
}

// Envoy's table for two and three priorities: share of each tier in per cent.
const spread: [string, [string, number][]][] = [
  ['0aaaa1aaaa', [['abcd', 100]]],
  // 75 % well × 1.4 is more than all.
  ['0aaau1aaaa', [['abc', 100]]],
  ['0aauu1aaaa', [['ab', 70], ['efgh', 30]]],
  ['0auuu1aaaa', [['a', 35], ['efgh', 65]]],
  ['0uuuu1aaaa', [['efgh', 100]]],
  ['0auuu1auuu', [['a', 50], ['e', 50]]],
  ['0auuu1aauu2aaaa', [['a', 35], ['ef', 65]]],
  ['0auuu1auuu2aaaa', [['a', 35], ['e', 35], ['ijkl', 30]]],
  // Half of those that have weight is well.
  ['0azzu1aaaa', [['a', 70], ['efgh', 30]]],
  ['0aazz1aaaa', [['ab', 100]]]
]

for (const [states, expected] of spread) {
  test(`of ${states} the traffic goes ${expected.map(([names, share]) => `${share} % to ${names}`).join(', ')}`, () => {
    const { tiers } = availabilityOf(endpoints(states.replace('ijkl', 'ijkl')))
    let before = 0
    const shares = tiers!.map(({ available, upTo }) => {
      const share = Math.round((upTo - before) * 100)
      before = upTo
      return [available.length, share]
    })
    assert.deepEqual(shares, expected.map(([names, share]) => [names.length, share]))
    assert.equal(before, 1)
  })
}

test('with nothing well in any priority, all of the first are used', () => {
  const result = availabilityOf(endpoints('0uu1eu'))
  assert.deepEqual([hosts(result.available), result.tiers, result.isPanic], ['ab', null, true])
})

test('with every breaker of the first priority open, panic goes to the next', () => {
  assert.equal(hosts(availabilityOf(endpoints('0oo1eu')).available), 'cd')
})

test('what is available in any priority is on the list', () => {
  assert.equal(hosts(availabilityOf(endpoints('0au1a')).available), 'ac')
})

test('a priority of which every endpoint has weight 0 is none', () => {
  const result = availabilityOf(endpoints('0zz1au'))
  assert.deepEqual([hosts(result.available), result.tiers, result.isPanic], ['c', null, false])
  assert.deepEqual([hosts(availabilityOf(endpoints('0zz1uu')).available), availabilityOf(endpoints('0zz1uu')).isPanic], ['cd', true])
})
