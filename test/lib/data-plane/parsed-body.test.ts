import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ownBody, parsedBody } from '../../../lib/data-plane/parsed-body.ts'
import { exchangeWith } from '../samples.ts'

/** What is sent of this, where the client sent a body of that type. */
function sent (type: string | null, parsed: unknown, headers: Record<string, string> = { 'transfer-encoding': 'chunked' }): string | null {
  const exchange = exchangeWith({ method: 'POST', headers: { ...type !== null && { 'content-type': type }, ...headers } })
  const bytes = parsedBody(exchange, parsed)
  return bytes === null ? null : bytes.toString('latin1')
}

const form = 'application/x-www-form-urlencoded'

const rows: readonly (readonly [type: string | null, parsed: unknown, arrives: string])[] = [
  // Bytes and texts are what they are, whatever they are called.
  ['multipart/form-data; boundary=x', Buffer.from('--x--'), '--x--'], ['text/plain', 'text', 'text'], ['application/xml', '<a/>', '<a/>'], [null, 'text', 'text'], ['a/b', '', ''],
  ['a/b', new Uint8Array([1, 255]), '\x01\xff'], ['a/b', new DataView(new Uint8Array([0, 1, 2, 3]).buffer, 1, 2), '\x01\x02'],
  // JSON once more.
  ['application/json', { a: [1, null] }, '{"a":[1,null]}'], ['application/json;charset=utf-8', null, 'null'], ['APPLICATION/JSON', false, 'false'], ['application/problem+json', { a: 1 }, '{"a":1}'], ['text/json', 0, '0'],
  ['application/json', Buffer.from('{ }'), '{ }'], ['application/json', '{ }', '{ }'],
  // Forms of one level.
  [form, { a: '1', b: ['2', '3'], 'c d': 'é&=+ ' }, 'a=1&b=2&b=3&c+d=%C3%A9%26%3D%2B+'], [`${form}; charset=utf-8`, Object.assign(Object.create(null), { a: '' }), 'a='], [form, {}, ''], ['Application/X-WWW-Form-Urlencoded', { a: '1' }, 'a=1'], [form, 'a=1', 'a=1']
]

for (const [type, parsed, arrives] of rows) {
  test(`a body of type ${type ?? 'none'} that was parsed to ${JSON.stringify(parsed)} arrives as '${arrives}'`, () => {
    assert.equal(sent(type, parsed), arrives)
  })
}

for (const [type, parsed] of [
  ['multipart/form-data; boundary=x', { name: 'ann' }], ['multipart/form-data', null], ['multipart/mixed', []], ['application/xml', { a: {} }], ['text/plain', 1], ['text/plain', true], ['a/b', null], [null, { a: 1 }],
  ['application/x-ndjson', [{}]], ['application/jsonp', {}], ['application/csp-report', {}], ['application/json-seq', {}],
  [form, { a: { b: '1' } }], [form, { a: 1 }], [form, { a: [null] }], [form, ['a']], [form, null]
] as const) {
  test(`a body of type ${type ?? 'none'} that was parsed to ${JSON.stringify(parsed)} is refused, with what to do in the log`, () => {
    assert.throws(() => sent(type, parsed), ({ error, statusCode, side, cause, message }: { error: string, statusCode: number, side: string, cause: Error, message: string }) => {
      assert.deepEqual([error, statusCode, side], ['config_error', 500, 'proxy'])
      assert.match(cause.message, /taken the body of type '.*' apart, .*proxied route/)
      assert.doesNotMatch(message, /type/)
      return true
    })
  })
}

test('text that was read as UTF-8, and is none, is refused; what was sent as it was read is not', () => {
  const type = 'text/plain; charset=iso-8859-1'
  for (const headers of [{ 'content-length': '3' }, { 'transfer-encoding': 'chunked' }]) {
    assert.throws(() => sent(type, 'a\ufffdb', headers), ({ cause }: { cause: Error }) => /read the body of type '.*' as UTF-8, /.test(cause.message))
  }
  assert.equal(sent(type, 'a\ufffdb', { 'content-length': '5' }), 'a\xef\xbf\xbdb')
  assert.equal(sent(type, 'a\ufffdb', {}), 'a\xef\xbf\xbdb')
})

test('what the app has put where no body came is its own, and an object JSON', () => {
  assert.equal(sent(null, { a: 1 }, {}), '{"a":1}')
  assert.equal(sent(null, { a: 1 }, { 'content-length': '0' }), '{"a":1}')
  assert.equal(sent(null, null, {}), null)
})

test('an empty form that a parser made an object of is empty, and a form', () => {
  assert.equal(sent(form, {}, { 'content-length': '0' }), '')
  assert.equal(sent(form, { a: '1' }, {}), 'a=1')
})

test('JSON that was parsed to a string has its quotes again, unless it is all that came', () => {
  assert.equal(sent('application/json', 'a', { 'content-length': '3' }), '"a"')
  assert.equal(sent('application/json', '"a"', { 'content-length': '3' }), '"a"')
})

test('code’s own body is sent as what it is, and an object is marked as JSON', () => {
  const exchange = exchangeWith()
  assert.equal(ownBody(exchange, null), null)
  assert.equal(ownBody(exchange, 'x')!.toString(), 'x')
  assert.equal(exchange.isJson, false)
  assert.equal(ownBody(exchange, [1])!.toString(), '[1]')
  assert.equal(exchange.isJson, true)
})
