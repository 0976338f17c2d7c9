import assert from 'node:assert/strict'
import { test } from 'node:test'
import { normalize, normalizeUpstream, type RegistrationConfig, type RouteConfig } from '../../../lib/config/normalize.ts'
import type { Problem } from '../../../types/control.ts'
import type { ProxyOptions, RouteBehaviour } from '../../../types/options.ts'

function config (options: ProxyOptions): RegistrationConfig {
  const problems: Problem[] = []
  const result = normalize(options, problems)
  assert.deepEqual(problems, [])
  return result
}

function onlyRoute (options: ProxyOptions): RouteConfig {
  const { routes } = config(options)
  assert.equal(routes.length, 1)
  return routes[0]!
}

const pool = { connections: 128, warm: 0, keepAliveTimeout: 4000, connectTimeout: 5000, protocol: 'http1' }
const a = 'http://10.0.0.1'
const b = 'http://10.0.0.2'

const judged = {
  health: false,
  outlier: { consecutiveFailures: 5, failureRate: 0.3, minimumRequests: 10, window: 60_000, baseEjection: 30_000, maxEjection: 300_000, maxEjectedShare: 0.5 },
  slowStart: 0,
  written: { connectTimeout: undefined },
  breaker: { consecutiveFailures: 5, halfOpenAfter: 5000, probes: 1 },
  limits: { active: 1024, pending: 1024, queueTimeout: 5000 }
}

const upstreams: readonly (readonly [sugar: NonNullable<ProxyOptions['upstreams']>[string], full: object])[] = [
  [a, { endpoints: [{ origin: a, weight: 1, priority: 0 }], balancer: 'power-of-two', pool }],
  [[a, b], { endpoints: [{ origin: a, weight: 1, priority: 0 }, { origin: b, weight: 1, priority: 0 }], balancer: 'power-of-two', pool }],
  [{ endpoints: [a, { origin: b, weight: 3, host: 'b' }] }, { endpoints: [{ origin: a, weight: 1, priority: 0 }, { origin: b, weight: 3, priority: 0, host: 'b' }], balancer: 'power-of-two', pool }],
  [{ endpoints: [a], balancer: 'round-robin', pool: { connections: 2 } }, { endpoints: [{ origin: a, weight: 1, priority: 0 }], balancer: 'round-robin', pool: { ...pool, connections: 2 } }],
  [{ endpoints: [a], pool: { tls: {} } }, { endpoints: [{ origin: a, weight: 1, priority: 0 }], balancer: 'power-of-two', pool: { ...pool, tls: { rejectUnauthorized: true } } }]
]

for (const [sugar, full] of upstreams) {
  test(`takes ${JSON.stringify(sugar)} for an upstream`, () => {
    assert.deepEqual(config({ upstreams: { orders: sugar } }).upstreams, [{ ...full, ...judged, name: 'orders', where: 'upstreams.orders' }])
  })
}

const oneLines: readonly (readonly [options: ProxyOptions, upstream: string, rewritePrefix: string | null])[] = [
  [{ upstream: 'orders' }, 'orders', '/'],
  [{ upstream: a }, a, '/'],
  [{ upstream: `${a}/` }, a, '/'],
  [{ upstream: `${a}/base/v2` }, a, '/base/v2'],
  [{ upstream: `${a}/base/` }, a, '/base/'],
  [{ upstream: `${a}/base`, rewritePrefix: '/other' }, a, '/other'],
  [{ upstream: 'orders', rewritePrefix: '' }, 'orders', ''],
  [{ upstream: a, rewrite: '/v2/*' }, a, null],
  [{ upstream: a, defaults: { rewrite: '/v2/*' } }, a, null],
  [{ upstream: { endpoints: [`${a}/base`, b] } }, `${a}/base`, '/']
]

for (const [options, upstream, rewritePrefix] of oneLines) {
  test(`reads the one-line form ${JSON.stringify(options)}`, () => {
    const route = onlyRoute(options)
    assert.deepEqual([route.url, route.methods, route.upstream, route.rewritePrefix, route.where], ['/*', null, upstream, rewritePrefix, ''])
  })
}

test('names the upstream of a one-line form after its first endpoint', () => {
  const { upstreams: [upstream] } = config({ upstream: { endpoints: [a, b], pool: { connections: 1 } } })
  assert.equal(upstream!.name, a)
  assert.equal(upstream!.pool.connections, 1)
})

test('declares upstreams, routes and the one-line form together', () => {
  const result = config({ upstreams: { orders: a }, routes: [{ url: '/orders/*', upstream: 'orders' }], prefix: '/api', upstream: b, via: false })
  assert.equal(result.prefix, '/api')
  assert.deepEqual(result.upstreams.map(({ name }) => name), ['orders'])
  assert.deepEqual(result.routes.map(({ url, upstream, behaviour }) => [url, upstream, behaviour.via]), [['/orders/*', 'orders', 'sluice'], ['/*', b, false]])
})

test('declares nothing when nothing is given', () => {
  assert.deepEqual(config({}), { prefix: '', metrics: true, adHoc: null, upstreams: [], faulty: [], urls: [], routes: [] })
})

test('takes a slash at the end of the prefix for none', () => {
  assert.deepEqual(['/api/', '/api', '/', ''].map((prefix) => config({ prefix }).prefix), ['/api', '/api', '', ''])
})

test('takes a method or several, in any case, and none for every one', () => {
  const methods = ['get', ['GET', 'post'], undefined].map((method) => onlyRoute({ routes: [{ url: '/', upstream: a, ...method && { method } }] }).methods)
  assert.deepEqual(methods, [['GET'], ['GET', 'POST'], null])
})

test('fills in every default of a route', () => {
  assert.deepEqual(onlyRoute({ routes: [{ url: '/', upstream: a }] }).behaviour, {
    canaries: [],
    headers: {},
    timeouts: { head: 30000, idle: 60000, total: 0, attempt: 0, write: 60000 },
    written: { timeouts: {} },
    retry: { attempts: 1, on: ['connect', 'stale'], budget: { share: 0.2, minimum: 3 }, backoff: { base: 25, max: 250 } },
    body: { replay: 65536, rewriteLimit: 1048576 },
    forwardDeadline: false,
    host: 'upstream',
    forwarded: 'x-forwarded',
    via: 'sluice',
    location: true,
    trace: 'participate',
    encodedSlashes: 'forward',
    ambiguousPaths: 'reject',
    expose: false,
    slow: 200,
    websocket: false
  })
})

test('takes one canary for a list of one, with its defaults', () => {
  const canary = { upstream: 'next', header: 'x-canary' }
  const full = { ...canary, weight: 0, onEmpty: 'stable', fallback: false }
  assert.deepEqual(onlyRoute({ routes: [{ url: '/', upstream: a, canary }] }).behaviour.canaries, [full])
  assert.deepEqual(onlyRoute({ routes: [{ url: '/', upstream: a, canaries: [canary, canary] }] }).behaviour.canaries, [full, full])
})

const read = (): string => ''
const parse = (): null => null
const merges: readonly (readonly [what: string, defaults: RouteBehaviour, own: RouteBehaviour, merged: object])[] = [
  ['a function for bodies and one for JSON', { body: { rewrite: read, requestLimit: 5 } }, { body: { rewriteJson: parse } }, { body: { rewriteJson: parse, requestLimit: 5, replay: 65536, rewriteLimit: 1048576 } }],
  ['one for JSON and one for bodies', { body: { rewriteJson: parse } }, { body: { rewrite: read } }, { body: { rewrite: { whole: read }, replay: 65536, rewriteLimit: 1048576 } }],
  ['rewriting and none', { body: { rewrite: [['a', 'b']] } }, { body: { rewrite: false } }, { body: { rewrite: false, replay: 65536, rewriteLimit: 1048576 } }],
  ['one cookie attribute and another', { cookies: { secure: true } }, { cookies: { path: false } }, { cookies: { secure: true, path: false } }],
  ['a value of its own', { via: 'edge', host: 'original' }, { via: false }, { via: false, host: 'original' }],
  ['timeouts one by one', { timeouts: { head: 1, idle: 2 } }, { timeouts: { head: 9 } }, { timeouts: { head: 9, idle: 2, total: 0, attempt: 0, write: 60000 } }],
  [
    'header edits name by name, and lists whole',
    { headers: { request: { set: { a: '1', b: '2' }, append: { c: '3' }, remove: ['x', 'y'] }, response: { when: 'always' } } },
    { headers: { request: { set: { b: '9' }, remove: ['z'] } } },
    { headers: { request: { set: { a: '1', b: '9' }, append: { c: '3' }, remove: ['z'] }, response: { when: 'always' } } }
  ],
  ['a canary in place of several', { canaries: [{ upstream: 'x' }, { upstream: 'y' }] }, { canary: { upstream: 'z' } }, { canaries: [{ upstream: 'z', weight: 0, onEmpty: 'stable', fallback: false }] }],
  ['several canaries in place of one', { canary: { upstream: 'x', weight: 5 } }, { canaries: [] }, { canaries: [] }],
  ['a canary of its own, which takes nothing from the other', { canary: { upstream: 'x', weight: 5 } }, { canary: { upstream: 'z' } }, { canaries: [{ upstream: 'z', weight: 0, onEmpty: 'stable', fallback: false }] }]
]

for (const [what, defaults, own, merged] of merges) {
  test(`lets a route say, over the defaults of its registration, ${what}`, () => {
    const { behaviour } = onlyRoute({ defaults, routes: [{ url: '/', upstream: a, ...own }] })
    for (const [key, value] of Object.entries(merged)) assert.deepEqual(behaviour[key as keyof typeof behaviour], value)
    const oneLine = onlyRoute({ defaults, upstream: a, ...own })
    assert.deepEqual(oneLine.behaviour, behaviour)
  })
}

test('gives one route nothing of what another says', () => {
  const { routes } = config({ defaults: { timeouts: { idle: 7 } }, routes: [{ url: '/a', upstream: a, timeouts: { head: 1 } }, { url: '/b', upstream: a }] })
  assert.deepEqual(routes.map(({ behaviour }) => [behaviour.timeouts.head, behaviour.timeouts.idle]), [[1, 7], [30000, 7]])
})

test('takes what is undefined for not given, wherever it stands', () => {
  const none = undefined as never
  const options = {
    prefix: none,
    defaults: none,
    canary: none,
    upstreams: { orders: { endpoints: [{ origin: a, weight: none }], balancer: none, pool: { connections: none } } },
    routes: [{ url: '/', upstream: a, via: none, timeouts: { head: none }, onRequest: none, nonsense: none }]
  }
  const { upstreams: [upstream], routes: [route] } = config(options)
  assert.deepEqual([upstream!.endpoints[0]!.weight, upstream!.balancer, upstream!.pool.connections], [1, 'power-of-two', 128])
  assert.deepEqual([route!.behaviour.via, route!.behaviour.timeouts.head, route!.fastify], ['sluice', 30000, {}])
})

test('hands the options of Fastify on as they are', () => {
  const onRequest = [() => {}]
  const options = { onRequest, config: { rateLimit: { max: 1 } }, bodyLimit: 10, schema: { body: {} } } as object
  const { fastify } = onlyRoute({ routes: [{ url: '/', upstream: a, ...options }] })
  assert.deepEqual(fastify, options)
  assert.equal(fastify['onRequest'], onRequest)
  assert.equal(Object.isFrozen(fastify['config']), false) // Fastify and its plugins write there
})

test('gives the log options of a registration to all its routes that have none of their own', () => {
  const { routes } = config({ logLevel: 'warn', routes: [{ url: '/a', upstream: a }, { url: '/b', upstream: a, logLevel: 'error' }], upstream: b })
  assert.deepEqual(routes.map(({ fastify }) => fastify['logLevel']), ['warn', 'error', 'warn'])
})

test('gives null for an upstream that is none', () => {
  const problems: Problem[] = []
  assert.equal(normalizeUpstream('orders', { endpoints: [] }, 'upstreams.orders', problems), null)
  assert.deepEqual(problems, [{ path: 'upstreams.orders.endpoints', message: 'must not be empty' }])
})
