import assert from 'node:assert/strict'
import test from 'node:test'
import { proxyError, toProxyError } from '../../../lib/errors.ts'
import { checkBoolean, checkOptionalString, checkString, checkSynchronous, isOptionFault, isPromise, keyText, named, quieten, wrongResult } from '../../../lib/model/option-result.ts'

const wrongForAll: readonly (readonly [string, () => unknown])[] = [
  ['a promise', async () => 'x'],
  ['a promise', () => Promise.reject(new Error('rejected'))],
  ['a promise', () => ({ then: () => {} })],
  ['null', () => null],
  ['an array', () => ['x']],
  ['an object', () => ({ toString: () => 'x' })],
  ['an object', () => ({ get then () { throw new Error('a getter') } })],
  ['a number', () => 7],
  ['a function', () => () => 'x']
]

for (const [called, make] of wrongForAll) {
  test(`a result that is ${called} is neither a string nor a boolean, and the error names the option`, () => {
    const message = (wanted: string): object => ({ name: 'TypeError', message: `\`rewrite\` must return ${wanted}, not ${called}` })
    assert.throws(() => checkString('rewrite', make()), message('a string'))
    assert.throws(() => checkOptionalString('rewrite', make()), message('a string or undefined'))
    assert.throws(() => checkBoolean('rewrite', make()), message('true or false'))
  })
}

test('results that are asked for are given back', () => {
  assert.equal(checkString('rewrite', ''), '')
  assert.equal(checkOptionalString('set', undefined), undefined)
  assert.equal(checkOptionalString('set', 'x'), 'x')
  assert.equal(checkBoolean('trust', false), false)
  assert.throws(() => checkString('rewrite', undefined), /must return a string, not undefined/)
  assert.throws(() => checkBoolean('trust', undefined), /must return true or false, not undefined/)
})

test('a function that returns nothing may be an arrow function with a value, and no promise', () => {
  for (const value of [undefined, null, 'x', 7, {}, []]) checkSynchronous('onProxyRequest', value)
  assert.throws(() => { checkSynchronous('onProxyRequest', Promise.reject(new Error('rejected'))) }, /must return nothing, not a promise/)
})

test('the rejection of a promise that is refused is handled', async (t) => {
  let unhandled = 0
  const count = (): void => { unhandled++ }
  process.on('unhandledRejection', count)
  t.after(() => { process.off('unhandledRejection', count) })

  assert.ok(isPromise(Promise.reject(new Error('rejected'))))
  await new Promise((resolve) => setImmediate(resolve))

  assert.equal(unhandled, 0)
})

const keys: readonly (readonly [unknown, string | undefined])[] = [
  ['ann', 'ann'], [7, '7'], [7n, '7'], [false, 'false'], [{ toString: () => 'ann' }, 'ann'], [['a', 'b'], 'a,b'], [new Date(0), String(new Date(0))],
  [undefined, undefined], [null, undefined], ['', undefined], [[], undefined], [NaN, undefined], [0, '0'], ['NaN', 'NaN']
]
for (const [value, text] of keys) {
  test(`the key ${typeof value} ${String(value)} is ${text === undefined ? 'no key' : `'${text}'`}`, () => {
    assert.equal(keyText('key', value), text)
  })
}

test('what has no text of its own is refused as a key', () => {
  for (const value of [Promise.resolve('ann'), {}, [{}], Object.create(null), () => 'ann', Symbol('ann')]) {
    assert.throws(() => keyText('key', value), /^TypeError: `key` must return a key, not /)
  }
})

test('a function of the options that throws is an internal error with the name of the option, whatever it throws', () => {
  for (const cause of [Object.assign(new Error('not there'), { code: 'ECONNREFUSED' }), null, undefined, 'text']) {
    const error = catchFrom(named('trust', 'select', () => { throw cause }))
    assert.deepEqual([error['error'], error['option'], error['cause'] ?? null, isOptionFault(error)], ['internal_error', 'trust', cause ?? null, true])
  }
})

test('an error of ours goes through a function of the options as it is', () => {
  for (const own of [proxyError('http_protocol_error', 'responseBody'), wrongResult('trust', 'true or false', 7)]) {
    assert.equal(catchFrom(named('trust', 'select', () => { throw own })), own)
  }
  assert.equal(isOptionFault(toProxyError(wrongResult('trust', 'true or false', 7), 'select')), true)
  assert.equal(isOptionFault(proxyError('http_protocol_error', 'responseBody')), false)
  assert.equal(isOptionFault(new Error('x')), false)
})

test('a key whose toString throws names its option', () => {
  assert.equal(catchFrom(() => keyText('canary.sticky', { toString: () => { throw new Error('x') } }))['option'], 'canary.sticky')
})

test('an object with a getter that throws is quietened as far as it goes', () => {
  quieten({ a: Promise.reject(new Error('rejected')), b: [Promise.reject(new Error('rejected'))] })
  quieten({ get a () { throw new Error('x') } })
})

function catchFrom (call: () => unknown): Record<string, unknown> {
  try {
    call()
  } catch (error) {
    return error as Record<string, unknown>
  }
  throw new assert.AssertionError({ message: 'nothing was thrown' })
}
