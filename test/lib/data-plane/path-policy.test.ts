import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asRouted, isCleanPath, parseTarget, splitAbsolute } from '../../../lib/data-plane/path-policy.ts'

/** What some reader takes for another path: empty segments, encoded slashes and backslashes, matrix parameters. */
const isAmbiguous = (path: string): boolean => /\/\/|%2f|%5c|;/i.test(path)

// Refused whatever `encodedSlashes` says: some reader would see a dot segment, or it is no legal path at all.
const refused = [
  // Plain, at every place.
  '/.', '/..', '/./', '/../', '/a/.', '/a/..', '/a/./b', '/a/../b', '/../a', '//..', '/..//a', '/a//../b', '/./.',
  // Percent-encoded, whole or in part, in both cases.
  '/%2e', '/%2E', '/%2e%2e', '/%2E%2E/', '/.%2e', '/%2e.', '/a/%2e%2E/b', '/a/.%2E', '/a/%2e/b',
  // Parameters behind the dots, empty ones and encoded ones too (Tomcat, Jetty).
  '/..;', '/..;/', '/..;x=1/a', '/a/..;/b', '/a/.;x', '/a/..;x;y=2/b', '/%2e%2e;/b', '/..%3b/b', '/..%3Bx=1/b', '/a/.%3b/b', '/..;a/../b',
  // Separators that only decoding shows.
  '/a%2f..%2fb', '/a%2F../b', '/a/..%2fb', '/..%2f', '/%2f..', '/a%5c..%5cb', '/a%5C../b', '/..%5c', '/a/%2e%2e%5cb', '/a%2f%2e%2e', '/a%2f.;x%2fb',
  // NUL, behind which some readers see nothing.
  '/..%00', '/a/..%00x/b', '/.%00.txt', '/a%2f..%00',
  // Backslashes as they are.
  '/a\\b', '/a\\..\\b', '/\\evil.example', '\\a', '/..\\a',
  // Controls, space, DEL, and beyond ASCII.
  '/a\0b', '/a\tb', '/a\rb', '/a\nb', '/a b', ' /a', '/a\x1fb', '/a\x7fb', '/a\x80b', '/ä', '/a\u2215..\u2215b', '/\uff0e\uff0e',
  // Percent signs that encode nothing.
  '/%', '/%2', '/a%', '/a%2', '/%zz', '/%2g', '/%g2', '/%%32', '/%u002e', '/% 2', '/%-1', '/%@@', '/%``', '/%:0', '/%GG',
  // What begins a fragment or a query.
  '/a#b', '/#', '/a?b'
]

for (const path of refused) {
  test(`refuses the path ${JSON.stringify(path)}`, () => {
    assert.equal(isCleanPath(path, 'forward'), false)
    assert.equal(isCleanPath(path, 'reject'), false)
  })
}

// Kept byte for byte, whatever `encodedSlashes` says.
const kept = [
  '/', '//', '///a//b/', '/a', '/a/', '/a/b/c', '/a.b', '/.a', '/..a', '/a.', '/a..', '/...', '/.../a', '/a/....', '/.a./b', '/a/.well-known/x', '/..a/b', '/.-.',
  // Odd, and legal or at least harmless.
  '/a|b', '/{a}', '/[a]', "/it's", '/"a"', '/<a>', '/a^b', '/a`b', '/~a', '/a!b', '/a$b&c=d', '/a(b)*c+d,e', '/a:b@c', '/a;b=c', '/;a', '/a;..', '/a=..', '/..=a', '/*',
  // Encoded, and no separator.
  '/%E4', '/%e4%F6', '/%20', '/%41', '/a%3Ab', '/%7e', '/%25', '/%3f', '/%23', '/%0d%0a', '/a%2eb', '/%2e%2e%2e', '/%2ea', '/a%2e', '/a%3b..',
  // Decoded twice it would be one; nobody is to decode twice.
  '/%252e%252e', '/%252e%252e/a', '/..%252f',
  // No dots of ASCII.
  '/%c0%ae%c0%ae/a', '/%ef%bc%8e'
]

for (const path of kept) {
  test(`keeps the path ${path}`, () => {
    assert.equal(isCleanPath(path, 'forward'), true)
    assert.equal(isCleanPath(path, 'reject'), true)
    assert.deepEqual(parseTarget(path, 'GET', 'reject'), { path, query: '', authority: null, hasTwoReadings: isAmbiguous(path) })
  })
}

const encodedSeparators = ['/a%2fb', '/a%2Fb', '/%2f', '/%2F%2f', '/a%5cb', '/a%5Cb', '/a%00b', '/%00', '/a%2f.b', '/a%2f...', '/a%00..', '/a%5c;..']

for (const path of encodedSeparators) {
  test(`forwards ${path}, or rejects it where that is asked for`, () => {
    assert.equal(isCleanPath(path, 'forward'), true)
    assert.equal(isCleanPath(path, 'reject'), false)
    assert.deepEqual(parseTarget(path, 'GET', 'forward'), { path, query: '', authority: null, hasTwoReadings: isAmbiguous(path) })
    assert.equal(parseTarget(path, 'GET', 'reject'), null)
  })
}

test('takes nothing for a path that does not begin with a slash', () => {
  for (const path of ['', 'a', '.', '*', '%2fa', 'http://a/']) assert.equal(isCleanPath(path, 'forward'), false)
})

const cut: readonly (readonly [received: string, path: string, query: string, authority: string | null])[] = [
  ['/a?b=c', '/a', '?b=c', null],
  ['/a?', '/a', '?', null],
  ['/?', '/', '?', null],
  ['/a?b?c', '/a', '?b?c', null],
  ['/a?../..', '/a', '?../..', null],
  ['/a?x=%zz&y=\\&z=|{}[]\'"', '/a', '?x=%zz&y=\\&z=|{}[]\'"', null],
  ['/a?next=http://b/..', '/a', '?next=http://b/..', null],
  ['//evil.example/a', '//evil.example/a', '', null],
  ['///', '///', '', null],
  ['http://a.example/b?c', '/b', '?c', 'a.example'],
  ['HTTP://A.example:80/b', '/b', '', 'A.example:80'],
  ['https://a.example', '/', '', 'a.example'],
  ['http://a.example?b', '/', '?b', 'a.example'],
  ['http://a.example//b', '//b', '', 'a.example'],
  ['http://[2001:db8::1]:8080/b', '/b', '', '[2001:db8::1]:8080'],
  ['http://a.example/http://b/c', '/http://b/c', '', 'a.example']
]

for (const [received, path, query, authority] of cut) {
  test(`cuts ${received} into ${path} and ${query === '' ? 'no query' : query}`, () => {
    assert.deepEqual(parseTarget(received, 'GET', 'forward'), { path, query, authority, hasTwoReadings: isAmbiguous(path) })
  })
}

const noRequests = ['', 'a', 'a/b', '.', '?a', '#', 'ftp://a/b', 'http:/a', 'http:///a', 'http://', 'http://?a', 'a.example:443', 'ws://a/', '/a?b#c', '/a#b?c', 'http://a#b', 'http://a/../b', 'http://a/%2e%2e', 'http://a\\b', 'http://a\\b/c', 'http://user@a/', 'http://a,b/', ' http://a/', '/..?a', '/a\\?b']

for (const received of noRequests) {
  test(`refuses the request for ${JSON.stringify(received)}`, () => {
    assert.equal(parseTarget(received, 'GET', 'forward'), null)
  })
}

test('takes * for OPTIONS only', () => {
  assert.deepEqual(parseTarget('*', 'OPTIONS', 'reject'), { path: '*', query: '', authority: null, hasTwoReadings: false })
  for (const method of ['GET', 'POST', 'HEAD', 'options']) assert.equal(parseTarget('*', method, 'forward'), null)
  assert.equal(parseTarget('*?a', 'OPTIONS', 'forward'), null)
})

const absolute: readonly (readonly [target: string, method: string, authority: string | null, rest?: string])[] = [
  ['http://a.example/b?c', 'GET', 'a.example', '/b?c'],
  ['HTTPS://A.example:80', 'GET', 'A.example:80', '/'],
  ['http://a.example?c=/d', 'GET', 'a.example', '/?c=/d'],
  ['http://a.example', 'OPTIONS', 'a.example', '*'],
  ['http://a.example/', 'OPTIONS', 'a.example', '/'],
  ['http://a.example//b', 'GET', 'a.example', '//b'],
  ['http://user@a.example/', 'GET', null],
  ['http://user:secret@a.example/', 'GET', null],
  ['http:///b', 'GET', null],
  ['ftp://a.example/b', 'GET', null],
  ['/b', 'GET', null]
]
for (const [target, method, authority, rest] of absolute) {
  test(`${method} ${target} is ${authority === null ? 'no absolute-form' : `${rest} of ${authority}`}`, () => {
    assert.deepEqual(splitAbsolute(target, method), authority === null ? null : { authority, rest })
  })
}

test('shows the router bytes that are no UTF-8 as what they are literally', () => {
  assert.deepEqual(['/a', '/%41', '/%C3%A4', '/%E4', '/%C3%A4/%E4'].map(asRouted), ['/a', '/%41', '/%C3%A4', '/%25E4', '/%25C3%25A4/%25E4'])
})
