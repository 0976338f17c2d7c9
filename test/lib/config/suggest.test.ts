import assert from 'node:assert/strict'
import { test } from 'node:test'
import { suggest } from '../../../lib/config/suggest.ts'

const known = ['timeouts', 'headers', 'host', 'canary', 'canaries', 'onProxyRequest', 'encodedSlashes']

const cases: readonly (readonly [word: string, meant: string | null])[] = [
  ['timeout', 'timeouts'],
  ['TIMEOUTS', 'timeouts'],
  ['header', 'headers'],
  ['heders', 'headers'],
  ['hedars', 'headers'],
  ['hots', null], // two letters of four
  ['hosts', 'host'],
  ['canery', 'canary'],
  ['canarys', 'canary'],
  ['onproxyrequest', 'onProxyRequest'],
  ['encodedSlash', 'encodedSlashes'],
  ['slashes', null],
  ['foo', null],
  ['x', null],
  ['', null]
]

for (const [word, meant] of cases) {
  test(`takes '${word}' for ${meant === null ? 'nothing that there is' : `'${meant}'`}`, () => {
    assert.equal(suggest(word, known), meant)
  })
}

test('prefers the nearest candidate, and the same letters in another case to all others', () => {
  assert.equal(suggest('orders1', ['orders12', 'orders', 'orders1x']), 'orders12')
  assert.equal(suggest('ORDERS', ['borders', 'orders']), 'orders')
})

test('finds nothing among no candidates', () => {
  assert.equal(suggest('timeouts', []), null)
})

test('takes its candidates from any iterable', () => {
  assert.equal(suggest('order', new Map([['orders', 1]]).keys()), 'orders')
})
