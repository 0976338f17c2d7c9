import assert from 'node:assert/strict'
import test from 'node:test'
import { errorNames } from '../../../../lib/errors.ts'
import { pairKey, readPairKey, readRequestKey, requestKey } from '../../../../lib/observe/metrics/keys.ts'
import { classOf, codeClasses, errors, methods, OTHER, words } from '../../../../lib/observe/metrics/words.ts'

test('a word that is not in the list is other, whoever sent it', () => {
  assert.deepEqual(words(['a', 'b', 'a']).list, ['a', 'b', OTHER])
  assert.equal(methods.list[methods.indexOf('BREW')], OTHER)
  assert.equal(methods.list[methods.indexOf('__proto__')], OTHER)
  assert.equal(methods.list[methods.indexOf('GET')], 'GET')
})

test('every word of the error table has a number, and none is needed for no error', () => {
  assert.equal(errors.indexOf(''), 0)
  assert.ok(errorNames.includes('connection_refused') && errors.indexOf('connection_refused') > 0)
  // readRequestKey has room for 64.
  assert.ok(errors.list.length < 64)
})

for (const [status, codeClass] of [[0, ''], [99, ''], [101, '1xx'], [200, '2xx'], [304, '3xx'], [499, '4xx'], [599, '5xx'], [600, OTHER], [999, OTHER]] as const) {
  test(`${status} is of class '${codeClass}'`, () => { assert.equal(codeClasses.list[classOf(status)], codeClass) })
}

test('numbers come out of a key as they went in', () => {
  for (const method of [0, methods.list.length - 1]) {
    for (const error of [0, errors.list.length - 1]) {
      for (const code of [100, 204, 999]) assert.deepEqual(readRequestKey(requestKey(method, error, code)), [method, error, code])
    }
  }
  assert.deepEqual(readPairKey(pairKey(39, 1023)), [39, 1023])
})

test('a status that is none is 0', () => {
  assert.deepEqual([0, 99, 1000, -1].map((code) => readRequestKey(requestKey(1, 1, code))[2]), [0, 0, 0, 0])
})
