import assert from 'node:assert/strict'
import { test } from 'node:test'
import { correctHead, isAboutRewritten, isRewritten } from '../../../../lib/data-plane/rewrite/rewritten-head.ts'
import type { RewritePlan } from '../../../../types/model.ts'
import { exchangeWith } from '../../samples.ts'

type Headers = Record<string, string | string[]>

function isFor (types: readonly string[] | null, headers: Headers, statusCode = 200, method = 'GET'): boolean {
  const plan: RewritePlan = { types, whole: () => '', stream: null, prefersStream: false, limit: 1 }
  return isRewritten(plan, exchangeWith({ method }), { statusCode, headers })
}

const rows: readonly (readonly [types: readonly string[] | null, type: string | undefined, isFor: boolean])[] = [
  [null, undefined, true], [null, 'image/png', true],
  [['text/*'], 'text/html; charset=utf-8', true], [['text/*'], 'TEXT/PLAIN', true], [['text/*'], 'application/json', false], [['text/*'], undefined, false],
  [['application/json'], 'application/json', true], [['application/json'], 'application/jsonp', false], [['application/json'], 'application/json ; a=b', true],
  [['*+json'], 'application/vnd.api+json', true], [['*+json'], 'application/json', false],
  [['*'], 'a/b', true], [['*'], undefined, true], [['', 'text/*'], undefined, true], [['a*a'], 'a', false]
]

for (const [types, type, expected] of rows) {
  test(`${JSON.stringify(types)} ${expected ? 'takes' : 'leaves'} ${type ?? 'a body without type'}`, () => {
    assert.equal(isFor(types, type === undefined ? {} : { 'content-type': type }), expected)
  })
}

test('leaves parts, empty answers and HEAD alone', () => {
  assert.deepEqual([200, 201, 204, 205, 206, 304, 404, 500].filter((status) => isFor(null, {}, status)), [200, 201, 404, 500])
  assert.equal(isFor(null, {}, 200, 'HEAD'), false)
  assert.equal(isFor(null, { 'content-length': '0' }), false)
  assert.equal(isFor(null, { 'content-range': 'bytes 0-1/5' }), false)
})

test('leaves alone what the upstream says must not be transformed', () => {
  assert.equal(isFor(null, { 'cache-control': 'public, No-Transform' }), false)
  assert.equal(isFor(null, { 'cache-control': ['public', 'no-transform'] }), false)
  assert.equal(isFor(null, { 'cache-control': 'no-transformation' }), true)
})

test('says nothing of the upstream\'s bytes any more', () => {
  const head = { statusCode: 200, headers: { 'content-length': '5', 'accept-ranges': 'bytes', digest: 'a', 'content-digest': 'b', 'repr-digest': 'c', 'content-md5': 'd', etag: '"x"', 'content-type': 'a/b' } }
  correctHead(head, 7)
  assert.deepEqual(head.headers, { 'content-length': '7', etag: 'W/"x"', 'content-type': 'a/b' })
  correctHead(head, null)
  assert.deepEqual(head.headers, { etag: 'W/"x"', 'content-type': 'a/b' })
})

test('an ETag that is none goes', () => {
  for (const etag of ['x', '"x', '', ['"a"', '"b"']]) {
    const headers: Headers = { etag }
    correctHead({ statusCode: 200, headers }, 1)
    assert.equal(headers['etag'], undefined)
  }
})

/** True for a head without a body that is about a rewritten one. */
function isAbout (types: readonly string[] | null, headers: Headers, { statusCode = 304, method = 'GET', held }: { statusCode?: number, method?: string, held?: string } = {}): boolean {
  const plan: RewritePlan = { types, whole: () => '', stream: null, prefersStream: false, limit: 1 }
  return isAboutRewritten(plan, exchangeWith({ method, ...held !== undefined && { headers: { 'if-none-match': held } } }), { statusCode, headers })
}

test('the head of a HEAD is about a rewritten body where that of a GET is', () => {
  for (const [types, headers, statusCode] of [
    [null, {}, 200], [['text/*'], { 'content-type': 'text/html' }, 200], [['text/*'], { 'content-type': 'image/png' }, 200], [null, {}, 206], [null, {}, 204], [null, { 'content-range': 'bytes */5' }, 416],
    [null, { 'cache-control': 'no-transform' }, 200], [null, { 'content-length': '0' }, 200], [null, { 'content-length': '5' }, 404]
  ] as const) {
    assert.equal(isAbout(types, headers, { statusCode, method: 'HEAD' }), isFor(types, headers, statusCode), JSON.stringify(headers))
    assert.equal(isAbout(types, headers, { statusCode }), false)
  }
})

test('a 304 is about a rewritten body by its type, or by what its client holds', () => {
  const etag = '"x"'
  assert.equal(isAbout(['text/*'], { etag, 'content-type': 'text/html' }, { held: '"x"' }), true)
  assert.equal(isAbout(['text/*'], { etag, 'content-type': 'image/png' }, { held: 'W/"x"' }), false)
  // Without a type: the strong tag is that of a body which was left alone.
  for (const [held, seen] of [[undefined, true], ['W/"x"', true], ['"y", W/"x"', true], ['*', true], ['"x"', false], ['W/"y", "x"', false]] as const) {
    assert.equal(isAbout(['text/*'], { etag }, held === undefined ? {} : { held }), seen, held)
  }
  assert.equal(isAbout(null, { etag: 'W/"x"' }, { held: 'W/"x"' }), true)
  assert.equal(isAbout(null, {}, { held: '"x"' }), true)
  assert.equal(isAbout(null, { etag, 'cache-control': 'no-transform' }, { held: 'W/"x"' }), false)
})
