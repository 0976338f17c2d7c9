import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import type { FastifyServerOptions } from 'fastify'
import proxy from '../../lib/index.ts'
import type { ProxyOptions, RouteOptions } from '../../types/index.ts'
import { connect, raw } from '../helpers/client.ts'
import { answer, echo, origin, type Echo, type Origin } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'
import { handshake, webSocketOrigin } from '../helpers/websocket.ts'

/*
 * Fastify's router options mean for proxied routes what they mean for Fastify's own. Every request is also asked of `explain`, which has to say
 * what then happens.
 */

type Rows = readonly (readonly [path: string, sent: string | number])[]

/** The path that the upstream was sent, or the status of an answer in its place. */
async function follow (t: TestContext, { app, port }: Started, path: string): Promise<string | number> {
  const { status, body } = await raw(t, port, `GET ${path} HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n`)
  const seen = status === 200 ? (JSON.parse(body.toString()) as Echo).url : status
  const { request, refusal, route } = app.proxy.explain({ url: path, headers: { host: 'a.test' } })
  assert.equal(refusal?.status ?? (route === null ? 404 : request!.path), seen, `explain of ${path}`)
  return seen
}

async function check (t: TestContext, options: object, proxied: (upstream: Origin) => ProxyOptions, rows: Rows): Promise<void> {
  const upstream = await origin(t, echo())
  const app = await start(t, proxied(upstream), { fastify: options as FastifyServerOptions })
  for (const [path, seen] of rows) assert.equal(await follow(t, app, path), seen, path)
}

const routes = (...declared: Omit<RouteOptions, 'upstream'>[]) => (upstream: Origin): ProxyOptions => ({ routes: declared.map((route) => ({ ...route, upstream: upstream.url })) })

for (const [where, options] of [['in routerOptions', { routerOptions: { caseSensitive: false } }], ['at the top', { caseSensitive: false }]] as const) {
  test(`caseSensitive: false ${where} holds for proxied routes; what follows the prefix stays as the client wrote it`, async (t) => {
    await check(t, options, (upstream) => ({ prefix: '/Api', upstream: upstream.url, rewritePrefix: '/v2' }), [
      ['/api/Users', '/v2/Users'], ['/API/Users?Q=1', '/v2/Users?Q=1'], ['/aPI', '/v2'], ['/%61pi/x', 400], ['/%41PI/x', 400], ['/apis', 404]
    ])
  })
}

test('caseSensitive: false reaches templates, functions, parameters, short routes and routes without a rewrite', async (t) => {
  await check(t, { routerOptions: { caseSensitive: false } }, routes(
    { url: '/Users/:Id/Posts', rewrite: '/v2/:Id' }, { url: '/Same/*' }, { url: '/Fn/*', rewrite: (request) => `/fn${request.url}` }, { url: '/Orders/*', rewrite: '/o/*' }, { url: '/v-*' }
  ), [
    ['/USERS/Ann/posts', '/v2/Ann'], ['/same/X', '/same/X'], ['/SAME', '/SAME'], ['/FN/x', '/fn/FN/x'], ['/ORDERS', '/o/'], ['/orders/A%2fb', '/o/A%2fb'], ['/V-1', '/V-1'],
    ['/%55sers/a/posts', 400], ['/users/%FF/posts', 400], ['/same/%FF', '/same/%FF'], ['/SAME/%FF', '/SAME/%FF']
  ])
})

test('ignoreDuplicateSlashes holds for proxied routes; the slashes of what follows the prefix are the client\'s', async (t) => {
  const options = { routerOptions: { ignoreDuplicateSlashes: true } }
  await check(t, options, (upstream) => ({ prefix: '/api', upstream: upstream.url, rewritePrefix: '/v2' }), [
    ['//api/x', '/v2/x'], ['//api///x//y', '/v2///x//y'], ['///api', '/v2'], ['/api//', '/v2//'], ['/api%2Fx', 404], ['//%61pi/x', 400], ['//api//%FF', '/v2//%FF']
  ])
  await check(t, options, routes({ url: '/users/:id/*', rewrite: '/:id/*' }, { url: '/one/two' }, { url: '/same/*' }, { url: '/double//written/*', rewrite: '/d/*' }), [
    ['//users//7//a//b', '/7//a//b'], ['/one//two', '/one//two'], ['//same//x', '//same//x'], ['/double/written/x', '/d/x'], ['/double///written/x', '/d/x']
  ])
})

test('ignoreTrailingSlash holds for proxied routes, and the slash travels', async (t) => {
  await check(t, { routerOptions: { ignoreTrailingSlash: true } }, routes({ url: '/orders' }, { url: '/declared/' }, { url: '/a/:id?', rewrite: '/v2/:id' }, { url: '/api/*', rewrite: '/v2/*' }), [
    ['/orders', '/orders'], ['/orders/', '/orders/'], ['/declared', '/declared'], ['/declared/', '/declared/'], ['/a', '/v2/'], ['/a/', '/v2/'], ['/a/7/', '/v2/7'], ['/api/', '/v2/'], ['/api', '/v2/'],
    ['/api/x/', '/v2/x/'], ['/orders//', 404]
  ])
})

test('useSemicolonDelimiter holds for proxied routes: what is behind it is kept as a query is', async (t) => {
  const options = { routerOptions: { useSemicolonDelimiter: true } }
  await check(t, options, (upstream) => ({ prefix: '/api', upstream: upstream.url, rewritePrefix: '/v2' }), [
    ['/api;v=1', '/v2;v=1'], ['/api/x;v=1?q', '/v2/x;v=1?q'], ['/api/;v', '/v2/;v'], ['/api;v/x', '/v2;v/x'],
    // Whoever reads a path to its end would find a dot segment there.
    ['/api;/../x', 400]
  ])
  await check(t, options, routes({ url: '/users/:id', rewrite: '/v2/:id' }, { url: '/fn/*', rewrite: (request) => `/fn/${String((request.query as Record<string, unknown>)['v'])}` }), [
    ['/users/7;v=1', '/v2/7;v=1'], ['/fn/x;v=1', '/fn/1;v=1'], ['/fn/x?v=2', '/fn/2?v=2']
  ])
})

test('without these options a path in another spelling is nobody\'s, as ever', async (t) => {
  await check(t, {}, (upstream) => ({ prefix: '/api', upstream: upstream.url }), [['/API/x', 404], ['//api/x', 404], ['/api;x', 404], ['/%61pi/x', 400]])
})

test('all of them together, some at the top and some in routerOptions', async (t) => {
  await check(t, { caseSensitive: false, ignoreTrailingSlash: true, routerOptions: { ignoreDuplicateSlashes: true, useSemicolonDelimiter: true } },
    (upstream) => ({ prefix: '/Api/', upstream: upstream.url, rewritePrefix: '/v2/' }), [
      ['//API//X/;a', '/v2//X/;a'], ['/api', '/v2/'], ['/API/', '/v2/'], ['/api;a', '/v2/;a'], ['/%61PI/x', 400]
    ])
})

test('Location comes back under the prefix as it is declared, however the client spelt it', async (t) => {
  const upstream = await origin(t, answer(302, '', { location: '/v2/there' }))
  const app = await start(t, { prefix: '/a//Api', upstream: upstream.url, rewritePrefix: '/v2' }, { fastify: { routerOptions: { caseSensitive: false, ignoreDuplicateSlashes: true } } })

  const response = await raw(t, app.port, 'GET //a/API/x HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n')
  assert.equal(response.headers['location'], '/a/Api/there')
})

test('a WebSocket handshake finds the routes that a request finds', async (t) => {
  const upstream = await webSocketOrigin(t)
  const app = await start(t, { prefix: '/Live', upstream: upstream.url, rewritePrefix: '/v2', websocket: true }, {
    fastify: { routerOptions: { caseSensitive: false, ignoreDuplicateSlashes: true, ignoreTrailingSlash: true, useSemicolonDelimiter: true } as object }
  })

  for (const path of ['/LIVE/x', '//live//x', '/live/', '/LIVE;a/x', '/LIVE/%FF']) {
    const client = await connect(t, app.port)
    client.write(handshake(path))
    assert.equal((await client.response()).status, 101, path)
    client.socket.destroy()
  }
  const refused = await connect(t, app.port)
  refused.write(handshake('/%6cive/x'))
  assert.equal((await refused.response()).status, 400)
  assert.deepEqual(upstream.requests.map(({ url }) => url), ['/v2/x', '/v2//x', '/v2/', '/v2;a/x', '/v2/%FF'])
})

type Mounting = readonly [what: string, prefixes: readonly string[], options: (url: string) => ProxyOptions, rows: Rows, fastify?: object]

const mountings: readonly Mounting[] = [
  ['a scope whose prefix ends in a slash', ['/pub/'], (url) => ({ upstream: url }), [['/pub/x', '/x'], ['/pub/x/y?z', '/x/y?z'], ['/pub/', '/'], ['/pub', 404], ['/pub//x', '//x'], ['/pubx', 404]]],
  ['one in another', ['/a/', '/b/'], (url) => ({ upstream: url, rewritePrefix: '/v2' }), [['/a/b/x', '/v2/x'], ['/a/b/', '/v2/'], ['/a/b', 404]]],
  ['a scope of / alone', ['/'], (url) => ({ upstream: url }), [['/', '/'], ['/x', '/x'], ['//x', '//x']]],
  ['a scope of / around a prefix', ['/'], (url) => ({ prefix: '/api/', upstream: url }), [['/api/x', '/x'], ['/api', '/'], ['/api/', '/'], ['/x', 404]]],
  ['a prefix in such a scope', ['/pub/'], (url) => ({ prefix: '/api', upstream: url }), [['/pub/api/x', '/x'], ['/pub/api', '/'], ['/pub/x', 404]]],
  ['a prefix that ends in a slash', [], (url) => ({ prefix: '/pub/', upstream: url }), [['/pub/x', '/x'], ['/pub', '/'], ['/pub/', '/']]],
  ['a parameter in the prefix of such a scope', ['/:tenant/'], (url) => ({ upstream: url, rewrite: '/t/:tenant/*' }), [['/acme/x', '/t/acme/x'], ['/acme/', '/t/acme/']]],
  ['a parameter that is cut off', ['/:tenant/'], (url) => ({ upstream: url }), [['/acme/x', '/x'], ['/acme/', '/']]],
  ['routes of such a scope', ['/pub/'], (url) => ({ routes: [{ url: '/', upstream: url }, { url: '/orders/*', upstream: url, rewrite: '/o/*' }, { url: '/one', upstream: url }] }),
    [['/pub/', '/pub/'], ['/pub//', '/pub//'], ['/pub/orders/7', '/o/7'], ['/pub/orders', '/o/'], ['/pub/one', '/pub/one'], ['/pub', 404]]],
  ['a route at its prefix', ['/pub'], (url) => ({ routes: [{ url: '/', upstream: url }] }), [['/pub', '/pub'], ['/pub/', '/pub/']]],
  ['a route at its prefix with a slash alone', ['/pub'], (url) => ({ routes: [{ url: '/', upstream: url, prefixTrailingSlash: 'slash' }] }), [['/pub/', '/pub/'], ['/pub', 404]]],
  ['a route at its prefix without one', ['/pub/'], (url) => ({ routes: [{ url: '/', upstream: url, prefixTrailingSlash: 'no-slash' }] }), [['/pub/', '/pub/'], ['/pub//', 404]]],
  ['such a scope where the slash at the end is nothing', ['/pub/'], (url) => ({ upstream: url }), [['/pub', '/'], ['/pub/', '/'], ['/pub/x/', '/x/']], { routerOptions: { ignoreTrailingSlash: true } }],
  ['such a scope where slashes in a row are one', ['/pub/'], (url) => ({ routes: [{ url: '/', upstream: url }, { url: '/x/*', upstream: url }] }), [['/pub//', '/pub//'], ['/pub//x//y', '/pub//x//y']], { routerOptions: { ignoreDuplicateSlashes: true } }]
]

for (const [what, prefixes, options, rows, fastify] of mountings) {
  test(`is mounted as Fastify mounts its own: ${what}`, async (t) => {
    const upstream = await origin(t, echo())
    const app = await start(t, { routes: [] }, {
      ...fastify !== undefined && { fastify: fastify as FastifyServerOptions },
      after: async (app) => {
        const plugin = async (scope: typeof app): Promise<void> => { await scope.register(proxy, options(upstream.url)) }
        await app.register(prefixes.reduceRight<(scope: typeof app) => Promise<void>>((inner, prefix) => async (scope) => { await scope.register(inner, { prefix }) }, plugin))
      }
    })
    for (const [path, seen] of rows) assert.equal(await follow(t, app, path), seen, path)
  })
}

test('ids and urls of routes are those that Fastify has', async (t) => {
  const app = await start(t, { routes: [] }, {
    after: async (app) => {
      await app.register(async (scope) => {
        await scope.register(proxy, { prefix: '/p', routes: [{ url: '/*', upstream: 'http://127.0.0.1:9' }, { url: '/', method: 'GET', upstream: 'http://127.0.0.1:9', prefixTrailingSlash: 'slash' }] })
        await scope.register(proxy, { routes: [{ url: '/y', upstream: 'http://127.0.0.1:9' }] })
      }, { prefix: '/pub/' })
    }
  })

  assert.deepEqual([...app.app.proxy.snapshot!.routes.keys()], ['/pub/p/*', 'GET /pub/p/', '/pub/y'])
})

test('a route of the app\'s own at the very prefix of such a scope stays its own', async (t) => {
  const upstream = await origin(t, echo())
  const app = await start(t, { routes: [] }, {
    after: async (app) => {
      await app.register(async (scope) => {
        await scope.register(proxy, { upstream: upstream.url })
        scope.get('/', async () => 'own')
      }, { prefix: '/pub/' })
    }
  })

  assert.equal((await app.get('/pub/')).body, 'own')
  assert.equal(app.app.proxy.explain({ url: '/pub/' }).elsewhere, '/pub/')
  assert.equal(app.app.proxy.explain({ url: '/pub//' }).elsewhere, '/pub/')
})
