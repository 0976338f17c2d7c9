import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UserTransform } from '../../../../lib/data-plane/transform/user.ts'
import type { RequestHead, ResponseHead } from '../../../../types/options.ts'
import { exchangeWith } from '../../samples.ts'

function requestHead (): RequestHead {
  return { method: 'GET', path: '/', headers: { a: '1', b: ['2', '3'] } }
}

function shaped (shape: (head: any) => unknown, head: RequestHead = requestHead()): RequestHead {
  new UserTransform<RequestHead>('onProxyRequest', shape).apply(head, exchangeWith())
  return head
}

test('hands the head and the exchange to the function of the user', () => {
  const head: RequestHead = { method: 'GET', path: '/', headers: {} }
  new UserTransform<RequestHead>('onProxyRequest', (given, { route }) => { given.headers['x-route'] = route.id }).apply(head, exchangeWith())
  assert.deepEqual(head.headers, { 'x-route': '/*' })
})

test('lets what the function throws end the exchange', () => {
  assert.throws(() => shaped(() => { throw new Error('no') }), { message: 'the proxy failed', option: 'onProxyRequest', cause: new Error('no') })
})

test('takes numbers for text, null for none and undefined for no field, in a copy of a head that may be shared', () => {
  const shared = Object.freeze({ a: 1, b: undefined, c: [2, '3', null], d: 'x', e: true, f: null })
  assert.deepEqual(shaped((head) => { head.headers = shared }).headers, { a: '1', c: ['2', '3', ''], d: 'x', e: 'true', f: '' })
  assert.deepEqual(shared, { a: 1, b: undefined, c: [2, '3', null], d: 'x', e: true, f: null })
})

const wrong: readonly (readonly [what: string, shape: (head: any) => unknown, message: RegExp])[] = [
  ['a promise', async () => {}, /`onProxyRequest` must return nothing, not a promise/],
  ['a promise that rejects', () => Promise.reject(new Error('no')), /`onProxyRequest` must return nothing, not a promise/],
  ['a head without headers', (head) => { head.headers = null }, /`head.headers`, as `onProxyRequest` has left it, must be an object, not null/],
  ['headers in a list', (head) => { head.headers = [] }, /must be an object, not an array/],
  ['a value that is a promise', (head) => { head.headers.a = Promise.reject(new Error('no')) }, /`head.headers\['a'\]`.* not a promise/],
  ['a value that is an object', (head) => { head.headers.a = {} }, /`head.headers\['a'\]`.* not an object/],
  ['a value that is a function', (head) => { head.headers.a = () => {} }, /`head.headers\['a'\]`.* not a function/],
  ['a list with undefined', (head) => { head.headers.a = [undefined] }, /`head.headers\['a'\]`.* not undefined/],
  ['a list with a promise', (head) => { head.headers.a = ['x', Promise.reject(new Error('no'))] }, /`head.headers\['a'\]`.* not a promise/],
  ['a method that is none', (head) => { head.method = null }, /`head.method`.* not null/],
  ['a path that is none', (head) => { head.path = 7 }, /`head.path`.* not a number/]
]

for (const [what, shape, message] of wrong) {
  test(`refuses ${what}`, () => {
    assert.throws(() => shaped(shape), message)
  })
}

for (const [what, shape] of [
  ['CONNECT', (head) => { head.method = 'connect' }],
  ['a URL for a path', (head) => { head.path = 'http://10.0.0.9/' }],
  ['an empty path', (head) => { head.path = '' }]
] as readonly (readonly [string, (head: RequestHead) => void])[]) {
  test(`takes ${what} for the client's fault, whose text it may be`, () => {
    assert.throws(() => shaped(shape), { code: 'FST_SLUICE_HTTP_REQUEST_ERROR', statusCode: 400 })
  })
}

test('refuses a status that is none', () => {
  const head: ResponseHead = { statusCode: 200, headers: {} }
  const transform = new UserTransform<ResponseHead>('onProxyResponse', (given) => { given.statusCode = '200' as unknown as number })
  assert.throws(() => { transform.apply(head, exchangeWith()) }, /`head.statusCode`, as `onProxyResponse` has left it, must be a status from 200 to 999, not a string/)
})
