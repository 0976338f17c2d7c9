import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { findFault, isAuthority, normalAuthority } from '../../../lib/data-plane/strictness.ts'

function received (rawHeaders: string[], version = '1.1'): IncomingMessage {
  const [httpVersionMajor, httpVersionMinor] = version.split('.').map(Number)
  const headers: Record<string, string> = {}
  for (let index = 0; index < rawHeaders.length; index += 2) headers[rawHeaders[index]!] ??= rawHeaders[index + 1]!
  return { rawHeaders, headers, httpVersionMajor, httpVersionMinor } as unknown as IncomingMessage
}

const cases: readonly (readonly [headers: string[], version: string, fault: string | null])[] = [
  [['Host', 'a.example', 'Accept', '*/*'], '1.1', null],
  [['accept', '*/*', 'HOST', 'a.example:8080'], '1.1', null],
  [['Date', 'x', 'Host', 'a', 'Etag', 'y'], '1.1', null],
  [['Host', 'a', 'Transfer-Encoding', 'chunked'], '1.1', null],
  [['Host', 'a', 'If-Modified-Since', ''], '1.1', null],
  [['Host', 'a', 'X-Seventeen-Chars', ''], '1.1', null],
  [['Host', 'a', 'Host', 'a'], '1.1', 'two Host headers'],
  [['Host', '', 'host', 'a'], '1.1', 'two Host headers'],
  [['Host', 'a', 'hOST', 'b'], '1.0', 'two Host headers'],
  [[], '1.1', 'no Host'],
  [['Host', ''], '1.1', 'no Host'],
  [[], '1.0', null],
  [['Host', ''], '1.0', null],
  [['Host', 'a, b'], '1.1', 'an invalid Host'],
  [['Host', 'a,b'], '1.0', 'an invalid Host'],
  [['Host', 'a', 'Transfer-Encoding', ''], '1.1', 'an empty Transfer-Encoding'],
  [['transfer-encoding', '', 'Host', 'a'], '1.1', 'an empty Transfer-Encoding'],
  [['Host', 'a', 'Transfer-Encoding', 'Chunked '], '1.1', null],
  [['Host', 'a', 'Transfer-Encoding', 'chunked', 'transfer-encoding', 'chunked'], '1.1', 'two Transfer-Encoding headers'],
  [['Host', 'a', 'Transfer-Encoding', 'chunked, chunked'], '1.1', 'chunked twice'],
  [['Host', 'a', 'Transfer-Encoding', 'gzip, chunked'], '1.1', 'an unknown Transfer-Encoding'],
  [['Host', 'a', 'Transfer-Encoding', 'chunked'], '1.0', 'a Transfer-Encoding in HTTP/1.0'],
  [['Host', 'a', 'Content-Length', '999999999999999'], '1.1', null],
  [['Host', 'a', 'Accept-Charset', 'utf-8, iso-8859-15;q=0.5'], '1.1', null],
  [['Host', 'a', 'Content-Length', '1000000000000000000'], '1.1', 'a Content-Length beyond all measure'],
  [['content-length', '9007199254740992', 'Host', 'a'], '1.1', 'a Content-Length beyond all measure'],
  [['Content-Length', '1000000000000000000'], '1.0', 'a Content-Length beyond all measure'],
  // Another protocol, with its own rules and its own parser.
  [[':authority', 'a:1', ':path', '/', ':scheme', 'http'], '2.0', null],
  [[':authority', 'a', ':path', '*', ':scheme', 'https', 'host', 'A'], '2.0', null],
  [['host', 'a', ':path', '/', ':scheme', 'http'], '2.0', null],
  [[':authority', 'a', ':path', '/', ':scheme', 'http', 'content-length', '1000000000000000000'], '2.0', 'a Content-Length beyond all measure'],
  [[':path', '/', ':scheme', 'http'], '2.0', 'no authority'],
  [[':authority', '', ':path', '/', ':scheme', 'http'], '2.0', 'no authority'],
  [['host', 'a', 'host', 'a', ':path', '/', ':scheme', 'http'], '2.0', 'two Host headers'],
  [[':authority', 'a', 'host', 'b', ':path', '/', ':scheme', 'http'], '2.0', 'a Host that is not the authority'],
  [[':authority', 'u@a', ':path', '/', ':scheme', 'http'], '2.0', 'an invalid authority'],
  [[':authority', 'a', ':path', '/', ':scheme', 'ftp'], '2.0', 'another scheme than http and https'],
  [[':authority', 'a', ':path', 'http://b/', ':scheme', 'http'], '2.0', 'an invalid :path']
]

for (const [headers, version, fault] of cases) {
  test(`finds ${fault ?? 'nothing wrong'} in ${JSON.stringify(headers)} of HTTP/${version}`, () => {
    assert.equal(findFault(received(headers, version))?.reason ?? null, fault)
  })
}

test('an unknown transfer coding alone is not a matter of syntax', () => {
  assert.equal(findFault(received(['Host', 'a', 'Transfer-Encoding', 'gzip, chunked']))?.isUnknownCoding, true)
  assert.equal(findFault(received(['Host', 'a', 'Transfer-Encoding', 'chunked, chunked']))?.isUnknownCoding, false)
})

test('a valid name or address makes the next one neither better nor worse', () => {
  assert.deepEqual(['a', 'a b', 'a b', 'a', 'a', '', 'ab', 'a b', 'ab'].map(isAuthority), [true, false, false, true, true, true, true, false, true])
})

const good = ['a', 'a:', '[::]:80', '[::ffff:1.2.3.4]', 'a.example', 'a.example:8080', '10.0.0.1', '[2001:db8::1]', '[2001:db8::1]:8443', 'a_b-c', 'xn--bcher-kva.example', 'a%41', "a$&'()*+;=b"]
const bad = ['a b', 'a\tb', 'a,b', 'user@a', 'a/b', 'a\\b', 'a?b', 'a#b', '"a"', '<a>', 'a^b', 'a`b', '{a}', 'a|b', 'a\x7f', 'ä', '\0', 'a!', 'a~b', ':80', 'a:b', 'a:80:80', 'a:65536', '::1', '[::1', '[::1]x', '[::1]:x', '[a]', '[1.2.3.4]', 'a[0]', 'a]']

for (const host of good) {
  test(`takes ${host} for a name or address`, () => assert.equal(isAuthority(host), true))
}

for (const host of bad) {
  test(`takes ${JSON.stringify(host)} for no name or address`, () => {
    assert.equal(isAuthority(host), false)
    assert.equal(findFault(received(['Host', host]))?.reason, 'an invalid Host')
  })
}

const normal: readonly (readonly [host: string, normal: string])[] = [
  ['admin.test', 'admin.test'],
  ['ADMIN.test', 'admin.test'],
  ['admin.test.', 'admin.test'],
  ['admin.test:80', 'admin.test'],
  ['admin.test:443', 'admin.test'],
  ['admin.test:', 'admin.test'],
  ['Admin.Test.:80', 'admin.test'],
  ['admin.test.:8080', 'admin.test:8080'],
  ['admin.test:8080', 'admin.test:8080'],
  ['admin.test:800', 'admin.test:800'],
  ['[::1]', '[::1]'],
  ['[::FFFF]:80', '[::ffff]'],
  ['[::80]', '[::80]']
]
for (const [host, expected] of normal) {
  test(`${host} is ${expected} in its normal form`, () => {
    assert.equal(normalAuthority(host), expected)
  })
}
