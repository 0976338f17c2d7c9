import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AnyPath, PathFunction, PathTemplate, ReplacePrefix, RoutePath, SamePath } from '../../../lib/data-plane/route-path.ts'
import { requestWith } from '../samples.ts'

// Where the wildcard's part begins, the length without a wildcard, or -1.
const matches: readonly (readonly [url: string, path: string, position: number])[] = [
  ['/', '/', 1], ['/', '/a', -1], ['/', '', -1],
  ['/orders', '/orders', 7], ['/orders', '/orders/', 8], ['/orders', '/orders//', -1], ['/orders', '/orders/1', -1], ['/orders', '/order', -1], ['/orders', '/Orders', -1],
  ['/orders/', '/orders/', 8], ['/orders/', '/orders', -1],
  ['/*', '/', 1], ['/*', '/a/b', 1], ['/*', '//a', 1], ['/*', '', 0], ['/*', 'a', -1], ['*', '/', 1], ['*', '/a/b', 1],
  ['/orders/*', '/orders/7', 8], ['/orders/*', '/orders/', 8], ['/orders/*', '/orders', 7], ['/orders/*', '/ordersx', -1], ['/orders/*', '/orders//7', 8], ['/orders/*', '//orders/7', -1],
  ['/orders*', '/orders', 7], ['/orders*', '/orders-old/7', 7], ['/orders*', '/order', -1],
  ['/a/b-*', '/a/b-c/d', 5], ['/a/b-*', '/a/b', -1],
  ['/users/:id', '/users/7', 8], ['/users/:id', '/users/a%2Fb', 12], ['/users/:id', '/users', -1], ['/users/:id', '/users/7/x', -1], ['/users/:id', '/Users/7', -1],
  ['/users/:id/posts', '/users/7/posts', 14], ['/users/:id/posts', '/users/7/posts/', 15], ['/users/:id/posts', '/users/7/post', -1],
  ['/users/:id/*', '/users/7/a/b', 9], ['/users/:id/*', '/users/7', 8],
  ['/users/:id?', '/users/7', 8], ['/users/:id?', '/users', 6], ['/users/:id?/x', '/users/x', -1],
  ['/at/:hour(^\\d+$)h', '/at/7h', 6], ['/near/:lat-:lng', '/near/1-2', 9],
  ['/v1/jobs::cancel', '/v1/jobs:cancel', 15], ['/v1/jobs::cancel', '/v1/jobs::cancel', -1], ['/v1/jobs::cancel', '/v1/other', -1], ['/v1/:job::cancel', '/v1/7:cancel', 12],
  // Fastify decodes, folds and merges before it matches; the raw path must be the author's all the same.
  ['/api/*', '/%61pi/x', -1], ['/api/*', '/API/x', -1], ['/api/*', '/api%2fx', -1], ['/api/users', '/api/%75sers', -1], ['/api/*', '//api/x', -1], ['/api/*', '/;/api/x', -1]
]

for (const [url, path, position] of matches) {
  test(`${position === -1 ? 'does not take' : 'takes'} ${path === '' ? 'an empty path' : path} for a path of ${url}`, () => {
    assert.equal(new RoutePath(url).match(path), position)
  })
}

test('sends a path as it was received, or not at all', () => {
  const same = new SamePath('/orders/*')
  assert.equal(same.rewrite('/orders/a%2Fb//c|d'), '/orders/a%2Fb//c|d')
  assert.equal(same.rewrite('/%6frders/7'), null)
})

// Gateway API, ReplacePrefixMatch.
const replacements: readonly (readonly [path: string, prefix: string, replacement: string, sent: string | null])[] = [
  ['/foo/bar', '/foo', '/xyz', '/xyz/bar'],
  ['/foo/bar', '/foo', '/xyz/', '/xyz/bar'],
  ['/foo/bar', '/foo/', '/xyz', '/xyz/bar'],
  ['/foo/bar', '/foo/', '/xyz/', '/xyz/bar'],
  ['/foo', '/foo', '/xyz', '/xyz'],
  ['/foo/', '/foo', '/xyz', '/xyz/'],
  ['/foo/bar', '/foo', '', '/bar'],
  ['/foo/', '/foo', '', '/'],
  ['/foo', '/foo', '', '/'],
  ['/foo', '/foo', '/', '/'],
  ['/foo/', '/foo', '/', '/'],
  ['/foo/bar', '/foo', '/', '/bar'],
  ['/foo//bar', '/foo', '/', '//bar'],
  ['/foo/a%2Fb|c', '/foo', '/xyz', '/xyz/a%2Fb|c'],
  ['/bar', '', '/xyz', '/xyz/bar'],
  ['/', '', '/', '/'],
  ['/t/7/bar', '/t/:id', '/xyz', '/xyz/bar'],
  ['/t/7', '/t/:id', '/xyz', '/xyz'],
  ['/t/7/', '/t/:id', '/xyz', '/xyz/'],
  ['/foobar', '/foo', '/xyz', null],
  ['/fo', '/foo', '/xyz', null],
  ['/%66oo/bar', '/foo', '/xyz', null],
  ['/foo%2Fbar', '/foo', '/xyz', null],
  ['/FOO/bar', '/foo', '/xyz', null],
  ['//foo/bar', '/foo', '/xyz', null]
]

for (const [path, prefix, replacement, sent] of replacements) {
  test(`${sent === null ? 'refuses' : `sends ${sent} for`} ${path} where '${replacement}' replaces '${prefix}'`, () => {
    assert.equal(new ReplacePrefix(prefix, replacement).rewrite(path), sent)
  })
}

const templates: readonly (readonly [url: string, template: string, path: string, params: Record<string, string>, sent: string | null])[] = [
  ['/users/:id', '/v2/users/:id', '/users/7', { id: '7' }, '/v2/users/7'],
  ['/users/:id', '/v2/:id/:id.json', '/users/7', { id: '7' }, '/v2/7/7.json'],
  ['/users/:id', '/v2', '/users/7', { id: '7' }, '/v2'],
  // Decoded by Fastify, encoded again: no parameter brings a slash, a query or a fragment.
  ['/users/:id', '/v2/:id', '/users/a%2Fb', { id: 'a/b' }, '/v2/a%2Fb'],
  ['/users/:id', '/v2/:id', '/users/%3Fx%23y%20z', { id: '?x#y z' }, '/v2/%3Fx%23y%20z'],
  ['/users/:id', '/v2/:id', '/users/%E4%BD%A0', { id: '你' }, '/v2/%E4%BD%A0'],
  ['/users/:id?', '/v2/:id', '/users', {}, '/v2/'],
  ['/:a/:b/*', '/:b/:a/*', '/1/2/x/y', { a: '1', b: '2', '*': 'x/y' }, '/2/1/x/y'],
  // The wildcard is raw.
  ['/api/*', '/v2/*', '/api/a%2Fb//c|d', { '*': 'a/b//c|d' }, '/v2/a%2Fb//c|d'],
  ['/api/*', '/v2/*', '/api/', { '*': '' }, '/v2/'],
  ['/api/*', '/v2/*', '/api', { '*': '' }, '/v2/'],
  ['/api/*', '/v2-*', '/api/x', { '*': 'x' }, '/v2-x'],
  ['/api-*', '/v2/*', '/api-x/y', { '*': 'x/y' }, '/v2/x/y'],
  ['/api/*', '/v2', '/api/x', { '*': 'x' }, '/v2'],
  ['/api/*', '/v2/*', '/%61pi/x', { '*': 'x' }, null],
  ['/users/:id', '/v2/:id', '/%75sers/7', { id: '7' }, null]
]

for (const [url, template, path, params, sent] of templates) {
  test(`${sent === null ? 'refuses' : `sends ${sent} for`} ${path} of ${url} by the template ${template}`, () => {
    assert.equal(new PathTemplate(url, template).rewrite(path, requestWith({ params })), sent)
  })
}

test('knows which parameters a template needs', () => {
  assert.deepEqual(PathTemplate.parameters('/v2/:tenant/users/:user_id.json'), ['tenant', 'user_id'])
  assert.deepEqual(PathTemplate.parameters('/v2/*'), [])
})

test('sends what the function of the user says, for paths of the url only', () => {
  const byId = new PathFunction('/users/:id', (request) => `/fn/${(request.params as { id: string }).id}?x=1`)
  const request = requestWith({ params: { id: '7' } })
  assert.equal(byId.rewrite('/users/7', request), '/fn/7?x=1')
  assert.equal(byId.rewrite('/%75sers/7', request), null)
})

test('sends any path for a reply', () => {
  assert.equal(new AnyPath().rewrite('/%61nything'), '/%61nything')
})
