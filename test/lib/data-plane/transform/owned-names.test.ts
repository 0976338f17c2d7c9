import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dropSpellings, isForwardedField, isForwardedMisspelt, isSameVariable, OwnedNames } from '../../../../lib/data-plane/transform/owned-names.ts'

const pairs: readonly (readonly [a: string, b: string, isSame: boolean])[] = [
  ['x-user-id', 'x-user-id', true],
  ['x-user-id', 'x_user_id', true],
  ['x-user-id', 'x.user~id', true],
  ['x_user_id', 'x-user-id', true],
  ['x-user-id', 'x-user-i', false],
  ['x-user-id', 'xauser-id', false],
  ['x-user-id', 'x-user-ie', false],
  ['x-user-id', 'x-userid-', false],
  ['x-user2', 'x_user2', true],
  ['x-user2', 'x_user3', false]
]
for (const [a, b, isSame] of pairs) {
  test(`${a} and ${b} are ${isSame ? 'one variable' : 'two variables'} to CGI`, () => {
    assert.equal(isSameVariable(a, b), isSame)
    assert.equal(isSameVariable(b, a), isSame)
  })
}

test('owns its names in every spelling, and tells its own from others', () => {
  const names = new OwnedNames(['X-User-Id', 'x_role'])
  names.add('X-Role')
  const seen = ['x-user-id', 'x_user_id', 'x-user_id', 'x_role', 'x-role', 'x.role', 'x-user', 'x-user-ids'].map((name) => [name, names.has(name), names.isMisspelt(name)])
  assert.deepEqual(seen, [
    ['x-user-id', true, false],
    ['x_user_id', true, true],
    ['x-user_id', true, true],
    ['x_role', true, false],
    ['x-role', true, false],
    ['x.role', true, true],
    ['x-user', false, false],
    ['x-user-ids', false, false]
  ])
  assert.equal(names.isEmpty, false)
})

test('owns nothing without names', () => {
  const names = new OwnedNames()
  assert.deepEqual([names.isEmpty, names.has(''), names.isMisspelt('x-a')], [true, false, false])
})

test('names whose lengths differ by 32 are told apart', () => {
  const long = `x-${'a'.repeat(40)}`
  const names = new OwnedNames([long])
  assert.deepEqual([names.has(long), names.has(long.slice(0, -32)), names.isMisspelt(long.replace('-', '_'))], [true, false, true])
})

const family: readonly (readonly [name: string, isField: boolean, isMisspelt: boolean])[] = [
  ['x-forwarded-for', true, false],
  ['x-forwarded-client-cert', true, false],
  ['x_forwarded_for', true, true],
  ['x-forwarded_for', true, true],
  ['x.forwarded-for', true, true],
  ['x-forwarded-client_cert', true, true],
  ['x-forwarded', false, false],
  ['x-forwarded-', false, false],
  ['x-forwardedfor', false, false],
  ['xaforwarded-for', false, false],
  ['x-forwardeds-for', false, false],
  ['x-real-ip', false, false]
]
for (const [name, isField, isMisspelt] of family) {
  test(`${name} is ${isField ? isMisspelt ? 'a misspelt one' : 'one' : 'none'} of X-Forwarded-*`, () => {
    assert.deepEqual([isForwardedField(name), isForwardedMisspelt(name)], [isField, isMisspelt])
  })
}

test('takes every spelling of one name out of a head', () => {
  const headers = { 'x-a': '1', x_a: '2', 'x.a': '3', 'x-b': '4' }
  dropSpellings(headers, 'x-a')
  assert.deepEqual(headers, { 'x-b': '4' })
})
