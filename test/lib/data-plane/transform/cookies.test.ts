import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RewriteCookies } from '../../../../lib/data-plane/transform/cookies.ts'
import type { CookieOptions } from '../../../../types/options.ts'

function rewrite (options: CookieOptions, cookies: string | string[]): unknown {
  const headers: Record<string, string | string[]> = { 'set-cookie': cookies, 'x-other': 'Domain=a' }
  new RewriteCookies(options).apply({ statusCode: 200, headers })
  assert.equal(headers['x-other'], 'Domain=a')
  return headers['set-cookie']
}

const rows: readonly (readonly [options: CookieOptions, received: string, seen: string])[] = [
  // Domain: for all, by name, removed.
  [{ domain: 'example.com' }, 'a=b; Domain=x.internal; Path=/', 'a=b; Domain=example.com; Path=/'],
  [{ domain: 'example.com' }, 'a=b; path=/', 'a=b; path=/'],
  [{ domain: 'example.com' }, 'a=b;domain = .X.internal ;HttpOnly', 'a=b; Domain=example.com;HttpOnly'],
  [{ domain: false }, 'a=b; Domain=x.internal; Path=/', 'a=b; Path=/'],
  [{ domain: { 'x.internal': 'example.com' } }, 'a=b; Domain=.X.INTERNAL', 'a=b; Domain=example.com'],
  [{ domain: { '.x.internal': 'example.com' } }, 'a=b; Domain=x.internal', 'a=b; Domain=example.com'],
  [{ domain: { 'x.internal': 'example.com' } }, 'a=b; Domain=y.internal', 'a=b; Domain=y.internal'],
  [{ domain: { 'x.internal': 'example.com', '*': false } }, 'a=b; Domain=y.internal', 'a=b'],
  [{ domain: { 'x.internal': false, '*': 'example.com' } }, 'a=b; Domain=x.internal', 'a=b'],
  [{ domain: { constructor: 'example.com' } }, 'a=b; Domain=toString', 'a=b; Domain=toString'],
  // Path: for all, by prefixes of whole segments, removed.
  [{ path: '/app' }, 'a=b; Path=/x', 'a=b; Path=/app'],
  [{ path: '/app' }, 'a=b', 'a=b'],
  [{ path: false }, 'a=b; Path=/x; Secure', 'a=b; Secure'],
  [{ path: { '/': '/shop/' } }, 'a=b; Path=/', 'a=b; Path=/shop/'],
  [{ path: { '/': '/shop/' } }, 'a=b; Path=/cart', 'a=b; Path=/shop/cart'],
  [{ path: { '/one': '/two' } }, 'a=b; Path=/one/x', 'a=b; Path=/two/x'],
  [{ path: { '/one': '/two' } }, 'a=b; Path=/one', 'a=b; Path=/two'],
  [{ path: { '/one': '/two' } }, 'a=b; Path=/onetwo', 'a=b; Path=/onetwo'],
  [{ path: { '/': '/a/', '/one': '/b' } }, 'a=b; Path=/one/x', 'a=b; Path=/b/x'],
  [{ path: { '/one': false } }, 'a=b; Path=/one/x', 'a=b'],
  // The seam is one slash, whichever way the two are written.
  ...([
    ['/', '/shop', '/', '/shop'], ['/', '/shop', '/cart', '/shop/cart'], ['/', '/shop/', '/', '/shop/'], ['/', '/', '/cart', '/cart'], ['/', '/', '/', '/'],
    ['/app', '/', '/app', '/'], ['/app', '/', '/app/', '/'], ['/app', '/', '/app/x', '/x'], ['/app', '/', '/app/x/y/', '/x/y/'], ['/app', '/', '/apple', '/apple'],
    ['/app/', '/', '/app/x', '/x'], ['/app/', '/', '/app', '/'], ['/app/', '/shop', '/app/x', '/shop/x'], ['/app/', '/shop', '/app/', '/shop'], ['/app/', '/shop/', '/app', '/shop'],
    ['/app/', '/shop/', '/app/', '/shop/'], ['/app/', '/shop/', '/app/x', '/shop/x'], ['/app', '/shop/', '/app', '/shop/'], ['/app', '/shop/', '/app/', '/shop/'], ['/app', '/shop/', '/app/x', '/shop/x'],
    ['/app', '/shop//', '/app/x', '/shop/x'], ['/app//', '/shop', '/app/x', '/shop/x'],
    ['/a/b', '/c/d', '/a/b/e', '/c/d/e'], ['/a/b/', '/c/d', '/a/b/e/', '/c/d/e/'], ['/app', '/app', '/app/x', '/app/x'], ['/app/', '/app', '/app/x', '/app/x'], ['', '/shop', '/cart', '/shop/cart'], ['/', '/shop', 'cart', 'cart']
  ] as const).map(([from, to, sent, seen]) => [{ path: { [from]: to } }, `a=b; Path=${sent}`, `a=b; Path=${seen}`] as const),
  [{ path: { '/app/': '/a', '/app': '/b' } }, 'a=b; Path=/app', 'a=b; Path=/b'],
  [{ path: { '/app/': false } }, 'a=b; Path=/app', 'a=b'],
  // Secure and SameSite: on every cookie, once.
  [{ secure: true }, 'a=b', 'a=b; Secure'],
  [{ secure: true }, 'a=b; secure; HttpOnly', 'a=b; HttpOnly; Secure'],
  [{ secure: false }, 'a=b; Secure; HttpOnly; SECURE', 'a=b; HttpOnly'],
  [{ sameSite: 'lax' }, 'a=b', 'a=b; SameSite=Lax'],
  [{ sameSite: 'none', secure: true }, 'a=b; samesite=Strict; secure', 'a=b; Secure; SameSite=None'],
  [{ sameSite: 'strict' }, 'a=b; SameSite; Partitioned', 'a=b; Partitioned; SameSite=Strict'],
  [{ sameSite: false }, 'a=b; SameSite=None; Max-Age=5', 'a=b; Max-Age=5'],
  // What browsers ask of names with a prefix stays.
  [{ domain: 'example.com', path: '/app', secure: false }, '__Host-a=b; Secure; Path=/', '__Host-a=b; Secure; Path=/'],
  [{ path: '/app', secure: false }, '__Secure-a=b; Secure; Path=/', '__Secure-a=b; Secure; Path=/app'],
  // Names and values are nobody's business, whatever they look like.
  [{ domain: 'example.com', secure: false }, 'domain=x; Domain=y', 'domain=x; Domain=example.com'],
  [{ secure: false }, 'secure', 'secure'],
  [{ domain: 'example.com' }, '', ''],
  [{ domain: 'example.com' }, ';;Domain=x;', ';; Domain=example.com;'],
  [{}, 'a=b; Domain=x ;Path= /', 'a=b; Domain=x ;Path= /']
]

for (const [options, received, seen] of rows) {
  test(`with ${JSON.stringify(options)} '${received}' becomes '${seen}'`, () => {
    assert.equal(rewrite(options, received), seen)
  })
}

test('rewrites each of several cookies', () => {
  assert.deepEqual(rewrite({ domain: 'b.example' }, ['x=1; Domain=a', 'y=2']), ['x=1; Domain=b.example', 'y=2'])
})

test('leaves a response without cookies alone', () => {
  const headers = {}
  new RewriteCookies({ secure: true }).apply({ statusCode: 200, headers })
  assert.deepEqual(headers, {})
})
