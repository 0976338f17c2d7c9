import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isUrl, join, unknownKey, validate } from '../../../lib/config/validate.ts'
import type { Problem } from '../../../types/control.ts'
import type { OptionSchema } from '../../../types/policy.ts'

function problemsOf (schema: OptionSchema, value: unknown, path = 'x'): Problem[] {
  const problems: Problem[] = []
  assert.equal(validate(schema, value, path, problems), problems.length === 0)
  return problems
}

const kinds: readonly (readonly [kind: string, called: string, good: unknown[], bad: unknown[]])[] = [
  ['string', 'a string', ['', 'a'], [1, null, ['a']]],
  ['strings', 'a list of strings', [['a'], ['a', 'b']], ['a', [], ['a', 1]]],
  ['number', 'a number', [0, -1, 1.5], ['1', NaN, Infinity]],
  ['integer', 'a whole number', [0, 10], [1.5, '1', 2 ** 53]],
  ['boolean', 'true or false', [true, false], [0, 'true', null]],
  ['false', 'false', [false], [true, 0, null]],
  ['function', 'a function', [() => {}], [{}, 'f']],
  ['object', 'an object', [{}, { a: 1 }], [[], null, 'o']],
  ['regexp', 'a regular expression', [/a/], ['a', {}]],
  ['url', "an http or https URL without query, such as 'http://10.0.0.1:3000', or a Unix socket, such as 'unix:/run/app.sock'", ['http://a', 'https://a:1/b', 'unix:/a'], ['a:1', 'ftp://a', 7]],
  ['pem', 'PEM text or a buffer', ['pem', Buffer.from('pem'), ['pem', Buffer.from('pem')]], [7, [7], {}]],
  ['pfx', 'a buffer or a binary string', ['\x30\x82', Buffer.from('p')], [7, [Buffer.from('p')], {}]]
]

for (const [kind, called, good, bad] of kinds) {
  test(`tells ${called} from everything else`, () => {
    const schema = { properties: { x: { kind: [kind] } } }
    for (const x of good) assert.deepEqual(problemsOf(schema, { x }), [])
    for (const x of bad) {
      const [problem, ...more] = problemsOf(schema, { x }, '')
      assert.deepEqual(more, [])
      assert.equal(problem!.path, 'x')
      assert.ok(problem!.message.startsWith(`must be ${called}, not `), problem!.message)
    }
  })
}

test('shows nothing of a secret, of whatever kind it is', () => {
  for (const x of [12345678, ['12345678'], { a: '12345678' }]) {
    assert.deepEqual(problemsOf({ properties: { x: { kind: ['secret'] } } }, { x }, ''), [{ path: 'x', message: 'must be a string' }])
  }
  assert.deepEqual(problemsOf({ properties: { x: { kind: ['secret'] } } }, { x: '' }, ''), [])
})

test('says how a Unix socket is written, where one was meant', () => {
  for (const [x, hint] of [
    ['unix:run/app.sock', "; the path of a Unix socket is absolute: 'unix:/run/app.sock'"],
    ['http://unix:/run/app.sock', "; a Unix socket is written 'unix:/run/app.sock'"],
    ['ftp://a', '']
  ] as const) {
    const [{ message } = { message: '' }] = problemsOf({ properties: { x: { kind: ['url'] } } }, { x }, '')
    assert.ok(message.endsWith(`, not '${x}'${hint}`), message)
  }
})

const messages: readonly (readonly [schema: OptionSchema, value: unknown, path: string, message: string])[] = [
  [{ additionalProperties: false, properties: { weight: {} } }, { wieght: 1 }, 'x.wieght', "is not an option; did you mean 'weight'?"],
  [{ additionalProperties: false, properties: { weight: {} } }, { colour: 1 }, 'x.colour', 'is not an option'],
  [{ required: ['origin'] }, {}, 'x.origin', 'is required'],
  [{ kind: ['string', 'false'] }, true, 'x', 'must be a string or false, not true'],
  [{ type: 'object' }, [], 'x', 'must be an object, not an empty array'],
  [{ type: 'array' }, {}, 'x', 'must be an array, not an object'],
  [{ enum: ['forward', 'reject'] }, 'forwrad', 'x', "must be one of 'forward', 'reject', not 'forwrad'; did you mean 'forward'?"],
  [{ enum: ['forward', 'reject'] }, 'both', 'x', "must be one of 'forward', 'reject', not 'both'"],
  [{ enum: [false, 'both'] }, 5, 'x', "must be one of false, 'both', not 5"],
  [{ pattern: '^/', meaning: "a path that begins with '/'" }, 'a', 'x', "must be a path that begins with '/', not 'a'"],
  [{ keys: ['header', 'cookie'] }, {}, 'x', 'must be a function or an object with one string key of header, cookie'],
  [{ minItems: 1 }, [], 'x', 'must not be empty'],
  [{ minLength: 1 }, '', 'x', 'must not be empty'],
  [{ minimum: 0 }, -5, 'x', 'must be >= 0, not -5'],
  [{ maximum: 100 }, 101, 'x', 'must be <= 100, not 101'],
  [{ exclusiveMinimum: 0 }, 0, 'x', 'must be > 0, not 0'],
  [{ items: { required: ['origin'] } }, [{ origin: 1 }, {}], 'x[1].origin', 'is required'],
  [{ additionalProperties: { kind: ['string'] } }, { 'a/b~c': 1 }, 'x["a/b~c"]', 'must be a string, not 1'],
  [{ propertyNames: { pattern: '^[a-z]+$', meaning: 'a header name' } }, { 'x y': 1 }, 'x["x y"]', "must be a header name, not 'x y'"]
]

for (const [schema, value, path, message] of messages) {
  test(`says '${path} ${message}'`, () => {
    assert.deepEqual(problemsOf(schema, value), [{ path, message }])
  })
}

const shown: readonly (readonly [value: unknown, text: string])[] = [
  [() => {}, 'a function'], ['text', "'text'"], [/a/g, '/a/g'], [[1], 'an array'], [[], 'an empty array'], [{}, 'an object'], [null, 'null'], [1.5, '1.5']
]

for (const [value, text] of shown) {
  test(`shows what it got instead as ${text}`, () => {
    assert.deepEqual(problemsOf({ kind: ['url'] }, value).map(({ message }) => message.split('not ').at(-1)), [text])
  })
}

test('takes only objects with exactly one of the keys, and a string there', () => {
  const schema = { keys: ['header', 'cookie'] }
  for (const good of [{ header: 'x-user' }, { cookie: 'sid' }, () => 'key', null, 7]) assert.deepEqual(problemsOf(schema, good), [])
  for (const bad of [{ header: 'a', cookie: 'b' }, { heder: 'a' }, { header: 7 }]) assert.equal(problemsOf(schema, bad).length, 1)
})

test('tells of a wrong kind once, not again for every bound that it cannot keep', () => {
  const schema = { kind: ['string', 'false'], enum: [false, 'both'], minLength: 1 }
  assert.deepEqual(problemsOf(schema, 5), [{ path: 'x', message: 'must be a string or false, not 5' }])
})

test('tells of everything that is wrong, not only of the first', () => {
  const schema = { additionalProperties: false, required: ['a'], properties: { a: {}, b: { kind: ['string'] } } }
  assert.deepEqual(problemsOf(schema, { b: 1, c: 2 }).map(({ path }) => path).sort(), ['x.a', 'x.b', 'x.c'])
})

test('calls the whole of the options `options`', () => {
  assert.deepEqual(problemsOf({ type: 'object' }, 5, ''), [{ path: 'options', message: 'must be an object, not 5' }])
})

test('fills in defaults, and leaves what is given', () => {
  const schema = { properties: { pool: { type: 'object', default: {}, properties: { connections: { default: 128 } } }, weight: { default: 1 } } }
  const first: Record<string, unknown> = {}
  const second: Record<string, unknown> = { weight: 0, pool: { connections: 3 } }
  assert.deepEqual([problemsOf(schema, first), problemsOf(schema, second)], [[], []])
  assert.deepEqual(first, { pool: { connections: 128 }, weight: 1 })
  assert.deepEqual(second, { weight: 0, pool: { connections: 3 } })
})

const urls: readonly (readonly [value: unknown, isOne: boolean])[] = [
  ['http://10.0.0.1:3000', true], ['https://a.example/base/path', true], ['HTTP://A.example', true], ['http://[2001:db8::1]:80', true],
  ['unix:/run/app.sock', true], ['unix:run/app.sock', false],
  ['http://a/?x=1', false], ['http://a/#f', false], ['http://user@a', false], ['http://user:pw@a', false], ['http://:pw@a', false],
  ['ws://a', false], ['orders', false], ['', false], ['http://', false], [undefined, false], [new URL('http://a'), false]
]

for (const [value, isOne] of urls) {
  test(`takes ${String(value)} ${isOne ? '' : 'not '}for the URL of an endpoint`, () => {
    assert.equal(isUrl(value), isOne)
  })
}

const joined: readonly (readonly [path: string, part: string, result: string])[] = [
  ['', 'routes', 'routes'], ['routes', '2', 'routes[2]'], ['routes[2]', 'canary', 'routes[2].canary'],
  ['upstreams', 'orders-next', 'upstreams["orders-next"]'], ['', 'x y', '["x y"]'], ['a', '$b_1', 'a.$b_1']
]

for (const [path, part, result] of joined) {
  test(`writes ${part} of ${path === '' ? 'the options' : path} as ${result}`, () => {
    assert.equal(join(path, part), result)
  })
}

test('guesses which option an unknown one was meant to be', () => {
  assert.equal(unknownKey('timeout', ['timeouts', 'trace']), "is not an option; did you mean 'timeouts'?")
  assert.equal(unknownKey('zzz', ['timeouts', 'trace']), 'is not an option')
})
