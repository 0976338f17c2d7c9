import assert from 'node:assert/strict'
import test from 'node:test'
import proxy from '../../lib/index.ts'
import { answer, echo, origin, type Echo } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'

async function pathSeen (app: Started, path: string): Promise<string> {
  const response = await app.get(path)
  assert.equal(response.status, 200, `${path}: ${response.body}`)
  return (JSON.parse(response.body) as Echo).url
}

test('sends each route of an options object to the upstream it names', async (t) => {
  const users = await origin(t, answer(200, 'users'))
  const orders = await origin(t, answer(200, 'orders'))
  const app = await start(t, {
    upstreams: { users: users.url, orders: { endpoints: [orders.url] } },
    routes: [{ url: '/users/*', upstream: 'users' }, { url: '/orders/:id', upstream: 'orders' }]
  })

  assert.equal((await app.get('/users/7')).body, 'users')
  assert.equal((await app.get('/orders/7')).body, 'orders')
  assert.equal((await app.get('/neither')).status, 404)
})

test('takes a URL where a route names its upstream', async (t) => {
  const upstream = await origin(t, echo())
  const app = await start(t, { routes: [{ url: '/users/*', upstream: `${upstream.url}/base` }] })

  assert.equal(await pathSeen(app, '/users/7?full=1'), '/base/users/7?full=1')
})

test('spreads the exchanges of an upstream of several strings over all of them', async (t) => {
  const a = await origin(t, answer(200, 'a'))
  const b = await origin(t, answer(200, 'b'))
  const app = await start(t, {
    upstreams: { both: { endpoints: [a.url, b.url], balancer: 'round-robin' }, list: [a.url] },
    routes: [{ url: '/both', upstream: 'both' }, { url: '/list', upstream: 'list' }]
  })

  const bodies = [(await app.get('/both')).body, (await app.get('/both')).body]
  assert.deepEqual(bodies.sort(), ['a', 'b'])
  assert.equal((await app.get('/list')).body, 'a')
})

test('takes the whole app in the one-line form without a prefix', async (t) => {
  const upstream = await origin(t, echo())
  const app = await start(t, { upstream: upstream.url })

  for (const path of ['/', '/a', '/a/b/', '/?x=1', '//a', '/a?']) assert.equal(await pathSeen(app, path), path)
})

test('a prefix of / is the same as none', async (t) => {
  const upstream = await origin(t, echo())
  const app = await start(t, { prefix: '/', upstream: upstream.url })

  for (const path of ['/', '/a/b']) assert.equal(await pathSeen(app, path), path)
})

// The table of d4 (Gateway API ReplacePrefixMatch), and the path of the upstream's URL as the default of rewritePrefix.
const rewrites: readonly { prefix: string, base?: string, rewritePrefix?: string, sent: string, seen: string }[] = [
  { prefix: '/foo', sent: '/foo/bar', seen: '/bar' },
  { prefix: '/foo', sent: '/foo', seen: '/' },
  { prefix: '/foo', sent: '/foo/', seen: '/' },
  { prefix: '/foo/', sent: '/foo/bar', seen: '/bar' },
  { prefix: '/foo', sent: '/foo/bar?a=1&b=%20', seen: '/bar?a=1&b=%20' },
  { prefix: '/foo', sent: '/foo//bar', seen: '//bar' },
  { prefix: '/foo', rewritePrefix: '/xyz', sent: '/foo/bar', seen: '/xyz/bar' },
  { prefix: '/foo', rewritePrefix: '/xyz/', sent: '/foo/bar', seen: '/xyz/bar' },
  { prefix: '/foo', rewritePrefix: '/xyz', sent: '/foo', seen: '/xyz' },
  { prefix: '/foo', rewritePrefix: '/xyz', sent: '/foo/', seen: '/xyz/' },
  { prefix: '/foo', rewritePrefix: '/xyz', sent: '/foo?q', seen: '/xyz?q' },
  { prefix: '/foo', rewritePrefix: '', sent: '/foo/bar', seen: '/bar' },
  { prefix: '/foo', rewritePrefix: '', sent: '/foo', seen: '/' },
  { prefix: '/foo', rewritePrefix: '/', sent: '/foo/', seen: '/' },
  { prefix: '/foo', rewritePrefix: '/foo', sent: '/foo/bar', seen: '/foo/bar' },
  { prefix: '/foo', rewritePrefix: '/:foo', sent: '/foo/bar', seen: '/:foo/bar' },
  { prefix: '/foo', base: '/v1', sent: '/foo/bar', seen: '/v1/bar' },
  { prefix: '/foo', base: '/v1', sent: '/foo', seen: '/v1' },
  { prefix: '/foo', base: '/v1/', sent: '/foo/bar', seen: '/v1/bar' },
  { prefix: '/foo', base: '/v1', rewritePrefix: '/v2', sent: '/foo/bar', seen: '/v2/bar' },
  { prefix: '', base: '/v1', sent: '/foo/bar', seen: '/v1/foo/bar' },
  { prefix: '/a/b', rewritePrefix: '/c', sent: '/a/b/a/b', seen: '/c/a/b' }
]

test('replaces the prefix of the one-line form as Gateway API does', async (t) => {
  const upstream = await origin(t, echo())

  for (const { prefix, base = '', rewritePrefix, sent, seen } of rewrites) {
    const app = await start(t, { prefix, upstream: upstream.url + base, ...(rewritePrefix !== undefined && { rewritePrefix }) })
    assert.equal(await pathSeen(app, sent), seen, `${prefix} of ${sent} by ${rewritePrefix ?? `default (${base})`}`)
  }
})

test('takes upstream options in place of a URL in the one-line form', async (t) => {
  const a = await origin(t, answer(200, 'a'))
  const b = await origin(t, answer(200, 'b'))
  const app = await start(t, { prefix: '/api', upstream: { endpoints: [a.url, b.url], balancer: 'round-robin' } })

  const bodies = [(await app.get('/api/x')).body, (await app.get('/api/y')).body]
  assert.deepEqual(bodies.sort(), ['a', 'b'])
  assert.deepEqual([...a.requests, ...b.requests].map(({ url }) => url).sort(), ['/x', '/y'])
})

test('the same upstream options may stand in several one-line registrations', async (t) => {
  const upstream = await origin(t, echo())
  const options = { endpoints: [upstream.url] }
  const app = await start(t, { prefix: '/a', upstream: options }, {
    after: async (app) => { await app.register(proxy, { prefix: '/b', upstream: options }) }
  })

  assert.equal(await pathSeen(app, '/a/x'), '/x')
  assert.equal(await pathSeen(app, '/b/x'), '/x')
})

test('mounts all routes of a registration under its prefix, and sends the path as it was received', async (t) => {
  const upstream = await origin(t, echo())
  const app = await start(t, {
    prefix: '/v1',
    upstreams: { main: upstream.url },
    routes: [{ url: '/users/*', upstream: 'main' }, { url: '/', upstream: 'main' }]
  })

  assert.equal(await pathSeen(app, '/v1/users/7'), '/v1/users/7')
  assert.equal(await pathSeen(app, '/v1'), '/v1')
  assert.equal((await app.get('/users/7')).status, 404)
})

test('adds its prefix to that of the scope around it', async (t) => {
  const upstream = await origin(t, echo())
  const app = await start(t, { prefix: '/root', upstream: upstream.url }, {
    after: async (app) => {
      await app.register(async function outer (scope) {
        await scope.register(proxy, { prefix: '/inner', upstream: upstream.url, rewritePrefix: '/new' })
      }, { prefix: '/outer' })
    }
  })

  assert.equal(await pathSeen(app, '/outer/inner/x'), '/new/x')
  assert.equal(await pathSeen(app, '/root/inner/x'), '/inner/x')
  assert.equal((await app.get('/inner/x')).status, 404)
})

test('a url that ends in /* also matches without the slash', async (t) => {
  const upstream = await origin(t, echo())
  const app = await start(t, { routes: [{ url: '/orders/*', upstream: upstream.url }, { url: '/v2/*', upstream: upstream.url, rewrite: '/new/*' }] })

  assert.equal(await pathSeen(app, '/orders'), '/orders')
  assert.equal(await pathSeen(app, '/orders?a=1'), '/orders?a=1')
  assert.equal(await pathSeen(app, '/orders/'), '/orders/')
  assert.equal(await pathSeen(app, '/v2'), '/new/')
  assert.equal((await app.get('/ordersx')).status, 404)
  assert.equal((await app.line((line) => line['path'] === '/orders'))['route'], '/orders/*')
})

test('leaves the url without the slash to a route of the app that has it', async (t) => {
  const upstream = await origin(t, answer(200, 'upstream'))
  const app = await start(t, { routes: [{ url: '/orders/*', upstream: upstream.url }, { url: '/own', upstream: upstream.url, method: 'POST' }] }, {
    before: (app) => { app.get('/orders', async () => 'own') }
  })

  assert.equal((await app.get('/orders')).body, 'own')
  assert.equal((await app.get('/orders/1')).body, 'upstream')
  assert.equal((await app.request('/orders', { method: 'POST' })).body, 'upstream')
})

test('applies the defaults of a registration to its routes, group by group', async (t) => {
  const upstream = await origin(t, echo())
  const app = await start(t, {
    upstreams: { main: upstream.url },
    defaults: { host: 'default.example', headers: { request: { set: { 'x-a': 'default', 'x-b': 'default' } } } },
    routes: [
      { url: '/plain', upstream: 'main' },
      { url: '/own', upstream: 'main', host: 'own.example', headers: { request: { set: { 'x-b': 'own' } } } }
    ]
  })

  const seen = async (path: string): Promise<(string | undefined)[]> => {
    const { headers } = JSON.parse((await app.get(path)).body) as Echo
    return [headers.host, headers['x-a'] as string, headers['x-b'] as string]
  }
  assert.deepEqual(await seen('/plain'), ['default.example', 'default', 'default'])
  assert.deepEqual(await seen('/own'), ['own.example', 'default', 'own'])
})

test('declares routes from code with fastify.proxy.route', async (t) => {
  const upstream = await origin(t, echo())
  const app = await start(t, { upstreams: { main: upstream.url }, routes: [] }, {
    after: (app) => {
      app.proxy.route({ url: '/one', upstream: 'main' })
      app.proxy.route({ url: '/two/*', upstream: upstream.url, rewrite: '/2/*' })
    }
  })

  assert.equal(await pathSeen(app, '/one'), '/one')
  assert.equal(await pathSeen(app, '/two/x'), '/2/x')
  assert.deepEqual([...app.app.proxy.snapshot!.routes.keys()], ['/one', '/two/*'])
})

test('registrations of one app share their upstreams', async (t) => {
  const upstream = await origin(t, echo())
  const app = await start(t, { upstreams: { main: upstream.url }, prefix: '/a', upstream: 'main' }, {
    after: async (app) => {
      await app.register(proxy, { prefix: '/b', upstream: 'main' })
      await app.register(proxy, { prefix: '/c', routes: [{ url: '/x', upstream: 'main' }] })
    }
  })

  assert.equal(await pathSeen(app, '/a/x'), '/x')
  assert.equal(await pathSeen(app, '/b/x'), '/x')
  assert.equal(await pathSeen(app, '/c/x'), '/c/x')
  assert.equal(upstream.connections, 1, 'one pool for all')
})
