import assert from 'node:assert/strict'
import { test } from 'node:test'
import createRouter from 'find-my-way'
import { AnyPath, endOf, type Matching, PathFunction, PathTemplate, ReplacePrefix, RoutePath, SamePath, strictly, withoutSlashes } from '../../../lib/data-plane/route-path.ts'
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

const anyCase: Matching = { ...strictly, caseSensitive: false }
const anySlashes: Matching = { ...strictly, ignoreDuplicateSlashes: true }
const anyEnd: Matching = { ...strictly, ignoreTrailingSlash: true }
const semicolons: Matching = { ...strictly, useSemicolonDelimiter: true }
const all: Matching = { caseSensitive: false, ignoreDuplicateSlashes: true, ignoreTrailingSlash: true, useSemicolonDelimiter: true }

const matchesOfOptions: readonly (readonly [matching: Matching, url: string, path: string, position: number])[] = [
  [anyCase, '/Api/*', '/aPI/x', 5], [anyCase, '/api', '/API', 4], [anyCase, '/Api/v*', '/API/V1', 6], [anyCase, '/api/*', '/%41PI/x', -1], [anyCase, '/k/*', '/%E2%84%AA/x', -1],
  [anyCase, '/a/:Id/B', '/A/x/b', 6], [anyCase, '/jobs::Go', '/JOBS:go', 8],
  [anySlashes, '/api/*', '//api/x', 6], [anySlashes, '/api/*', '/api///x//y', 5], [anySlashes, '/api/*', '/api', 4], [anySlashes, '/a/b', '//a///b', 7], [anySlashes, '/a//b', '/a/b', 4],
  [anySlashes, '/:tenant/x/*', '///acme//x//y', 11], [anySlashes, '/a/b-*', '/a//b-c', 6], [anySlashes, '/a/', '/a//', 4], [anySlashes, '/', '//', 2], [anySlashes, '/*', '//x', 1],
  [anySlashes, '/api/*', '/api%2Fx', -1], [anySlashes, '/api/*', '/%61pi//x', -1],
  [anyEnd, '/orders/', '/orders', 7], [anyEnd, '/orders', '/orders/', 8], [anyEnd, '/orders', '/orders//', -1], [anyEnd, '/orders/:id?', '/orders/', 8], [anyEnd, '/', '/', 1],
  [semicolons, '/orders', '/orders;a=1', 7], [semicolons, '/orders/*', '/orders;a/b', 7], [semicolons, '/orders/*', '/orders/x;a/b', 8], [semicolons, '/a/:id', '/a/7;b/c', 4], [semicolons, '/a;b', '/a;b', -1],
  [semicolons, '/*', '/;a', 1], [strictly, '/orders', '/orders;a=1', -1], [strictly, '/a;b', '/a;b', 4],
  [all, '/Api//v1/', '//API///V1//;a', 12], [all, '/Api/*', '//api///x/;y', 6]
]

for (const [matching, url, path, position] of matchesOfOptions) {
  const names = Object.entries(matching).filter(([name, value]) => strictly[name as keyof Matching] !== value).map(([name, value]) => `${name}: ${value}`)
  test(`${position === -1 ? 'does not take' : 'takes'} ${path} for a path of ${url} with ${names.length === 0 ? 'no option' : names.join(', ')}`, () => {
    assert.equal(new RoutePath(url, matching).match(path), position)
  })
}

test('takes every path that the router takes without decoding, and knows where its wildcard begins', () => {
  const urls = [
    '/', '/a', '/a/', '/A/b', '/a//b', '/*', '/a/*', '/a//*', '/a/b-*', '/:x', '/:x/', '/:x/*', '/a/:x?', '/a/:x?/', '/a/:x/b', '/a/:x-:y', '/a/:x.json', '/a/:x(^[a-z/]+$)/b',
    '/a::b', '/a::b/*', '/:x::b', '/a;b', '/b/:x/:y/*'
  ]
  const parts = ['', '/', '//', 'a', 'A', 'b', 'b-c', 'a:b', 'A:B', ';', 'x.json']
  const paths = new Set<string>()
  for (const first of parts) for (const second of parts) for (const third of parts) for (const fourth of parts) paths.add(`/${first}/${second}${third}/${fourth}`).add(`/${first}${second}${third}${fourth}`)
  for (let bits = 0; bits < 16; bits++) {
    const matching: Matching = { caseSensitive: (bits & 1) === 0, ignoreDuplicateSlashes: (bits & 2) !== 0, ignoreTrailingSlash: (bits & 4) !== 0, useSemicolonDelimiter: (bits & 8) !== 0 }
    for (const url of urls) {
      const router = createRouter({ ...matching })
      router.on('GET', url, () => {})
      const shape = new RoutePath(url, matching)
      const short = url.slice(0, -2)
      if (url.endsWith('/*') && url !== '/*' && shape.match(withoutSlashes(short, matching)) !== -1) router.on('GET', short, () => {})
      for (const path of paths) {
        const found = router.find('GET', path)
        if (found === null) continue
        const begin = shape.match(path)
        const where = `${path} of ${url} with ${JSON.stringify(matching)}`
        assert.notEqual(begin, -1, where)
        const rest = (found.params as Record<string, string | undefined>)['*']
        if (rest === undefined) continue
        // As the router has it: without the slashes that it ignores.
        const raw = withoutSlashes(`/${path.slice(begin, endOf(path, matching))}`, matching).slice(1)
        assert.equal(raw, rest, where)
      }
    }
  }
})

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

// The prefix is what is replaced, in whatever spelling it came; what follows stays as the client wrote it.
const spelled: readonly (readonly [path: string, prefix: string, replacement: string, sent: string | null])[] = [
  ['/FOO/Bar', '/foo', '/xyz', '/xyz/Bar'],
  ['/FOO', '/foo', '/', '/'],
  ['//foo/bar', '/foo', '/xyz', '/xyz/bar'],
  ['/foo///bar//x', '/foo', '/xyz', '/xyz///bar//x'],
  ['/foo//', '/foo', '/', '//'],
  ['/foo;v=1', '/foo', '/xyz', '/xyz;v=1'],
  ['/foo;v=1', '/foo', '', '/;v=1'],
  ['/foo;v=1/x', '/foo', '/xyz/', '/xyz/;v=1/x'],
  ['/foo/;v=1', '/foo', '/xyz', '/xyz/;v=1'],
  ['/foo/bar;v=1', '/foo', '/xyz', '/xyz/bar;v=1'],
  ['/T//7/bar', '/t/:id', '/xyz', '/xyz/bar'],
  ['/%46oo/bar', '/foo', '/xyz', null],
  ['/foo%2F/bar', '/foo', '/xyz', null]
]

for (const [path, prefix, replacement, sent] of spelled) {
  test(`${sent === null ? 'refuses' : `sends ${sent} for`} ${path} where '${replacement}' replaces '${prefix}' and the router overlooks what it can`, () => {
    assert.equal(new ReplacePrefix(prefix, replacement, all).rewrite(path), sent)
  })
}

test('keeps what is behind a semicolon as a query is kept', () => {
  const request = requestWith({ params: { id: '7' } })
  assert.equal(new PathTemplate('/users/:id', '/v2/:id', all).rewrite('/USERS//7;v=1', request), '/v2/7;v=1')
  assert.equal(new PathTemplate('/users/*', '/v2/*', all).rewrite('/users/7/;v=1', request), '/v2/7/;v=1')
  assert.equal(new PathTemplate('/users/*', '/v2', all).rewrite('/users/7;v=1', request), '/v2;v=1')
  for (const [result, sent] of [['/fn', '/fn;v=1'], ['/fn?x', '/fn?x'], ['/fn;w=2', '/fn;w=2']] as const) {
    assert.equal(new PathFunction('/users/*', () => result, all).rewrite('/users/7;v=1', request), sent)
  }
  assert.equal(new PathFunction('/users/*', () => '/fn', all).rewrite('/users/7', request), '/fn')
})

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
