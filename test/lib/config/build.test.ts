import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FastifyRequest } from 'fastify'
import { buildRoute, buildUpstream, type Building } from '../../../lib/config/build.ts'
import { normalizeRoute, normalizeUpstream } from '../../../lib/config/normalize.ts'
import type { PoolConfig } from '../../../lib/data-plane/pool/index.ts'
import { strictly } from '../../../lib/data-plane/route-path.ts'
import type { Problem } from '../../../types/control.ts'
import type { EndpointPool, Route, Upstream } from '../../../types/model.ts'
import type { RouteOptions, UpstreamOptions } from '../../../types/options.ts'
import { attemptOf, exchangeWith, requestWith, still } from '../samples.ts'

interface Built extends Building {
  readonly opened: { origin: string, config: PoolConfig }[]
}

/** Knows the upstreams `orders` and `next`, both at one endpoint, and opens pools that are only remembered. */
function building (): Built {
  const problems: Problem[] = []
  const opened: Built['opened'] = []
  const upstreams = new Map<string, Upstream>()
  const built: Built = {
    tools: still(),
    observers: [],
    instance: 'abcdef',
    matching: strictly,
    problems,
    opened,
    openPool (origin, config) {
      opened.push({ origin, config })
      return { origin } as unknown as EndpointPool
    },
    watch () {},
    find (name, where) {
      const upstream = upstreams.get(name)
      if (upstream === undefined) problems.push({ path: where, message: `no ${name}` })
      return upstream ?? null
    }
  }
  upstreams.set('orders', upstreamWith({ endpoints: ['http://10.0.0.1', { origin: 'http://10.0.0.2' }], pool: { connectTimeout: 2000 } }, built, 'orders'))
  upstreams.set('next', upstreamWith({ endpoints: ['http://10.0.0.9'] }, built, 'next'))
  opened.length = 0
  return built
}

function upstreamWith (options: UpstreamOptions, built: Building, name = 'a'): Upstream {
  return buildUpstream(normalizeUpstream(name, options, `upstreams.${name}`, [])!, built)
}

function routeWith (own: Partial<RouteOptions>, built: Building = building(), url = '/orders/*'): Route | null {
  const config = normalizeRoute({ url, upstream: 'orders', ...own }, {}, 'routes[0]', built.problems)!
  return buildRoute('id', url, config, built)
}

function problemsWith (own: Partial<RouteOptions>, url?: string): string[] {
  const built = building()
  const route = routeWith(own, built, url)
  if (route !== null) assert.ok(Object.isFrozen(route))
  return built.problems.map(({ path, message }) => `${path}: ${message}`)
}

test('makes an endpoint of each, with its pool', () => {
  const built = building()
  const pool = { protocol: 'http1' as const, connections: 3, warm: 0, keepAliveTimeout: 10, connectTimeout: 20, tls: { servername: 'tls.example', rejectUnauthorized: true } }
  const { state, name } = upstreamWith({ endpoints: [{ origin: 'https://a.example:8443/base', weight: 2, host: 'shop' }, 'http://b.example'], pool, breaker: false }, built)
  assert.equal(name, 'a')
  assert.deepEqual(state.endpoints.map(({ origin, basePath, weight, host, servername, connections, connectTimeout }) => [origin, basePath, weight, host, servername, connections, connectTimeout]), [
    ['https://a.example:8443', '/base', 2, 'shop', 'tls.example', 3, 20],
    ['http://b.example', '', 1, 'b.example', null, 3, 20]
  ])
  assert.deepEqual(built.opened.map(({ origin }) => origin), ['https://a.example:8443', 'http://b.example'])
  assert.deepEqual(built.opened[0]!.config, pool)
  assert.deepEqual(state.endpoints.map((endpoint) => (endpoint.pool as unknown as { origin: string }).origin), built.opened.map(({ origin }) => origin))
  assert.equal(state.available, state.endpoints)
  assert.equal(state.observers, built.observers)
})

test('gives every upstream a balancer of its own, of the kind that it names', () => {
  const built = building()
  const [first, second] = [1, 2].map(() => upstreamWith({ endpoints: ['http://a', 'http://b'], balancer: 'round-robin' }, built).state)
  const exchange = exchangeWith()
  const picks = [first!, first!, second!, first!].map(({ balancer, available }) => balancer.pick(available, exchange).origin)
  assert.deepEqual(picks, ['http://a', 'http://b', 'http://a', 'http://a'])
})

test('builds a route with nothing that was not asked for', () => {
  const route = routeWith({})!
  assert.deepEqual([route.id, route.url, route.upstream.name, route.canaries, route.localResponseTransforms, route.trust], ['id', '/orders/*', 'orders', null, null, null])
  assert.deepEqual([route.bodyLimit, route.pseudonym, route.encodedSlashes, route.trace], [0, 'sluice', 'forward', 'participate'])
  assert.deepEqual({ ...route.timeouts }, { head: 30000, idle: 60000, total: Infinity, attempt: Infinity, write: 60000 })
  assert.ok(Object.isFrozen(route) && Object.isFrozen(route.timeouts))
})

test('builds a route with what was asked for', () => {
  const trust = ({ id }: { id: string }): boolean => id === 'known'
  const route = routeWith({ timeouts: { head: 0, idle: 0, total: 0, attempt: 5, write: 0 }, bodyLimit: 10, via: 'edge', encodedSlashes: 'reject', trace: 'restart', trust })!
  assert.deepEqual({ ...route.timeouts }, { head: Infinity, idle: Infinity, total: Infinity, attempt: 5, write: Infinity })
  assert.deepEqual([route.bodyLimit, route.pseudonym, route.encodedSlashes, route.trace], [10, 'edge', 'reject', 'restart'])
  assert.deepEqual(['known', 'other'].map((id) => route.trust!({ id } as FastifyRequest)), [true, false])
  assert.equal(routeWith({ via: false })!.pseudonym, 'sluice')
})

// pool.connectTimeout of the upstream is 2,000.
const timeoutRules: readonly (readonly [timeouts: NonNullable<RouteOptions['timeouts']>, ...problems: string[]])[] = [
  [{ total: 0, head: 60000, attempt: 70000 }],
  [{ total: 1 }],
  [{ total: 5000 }],
  [{ total: 5000, head: 3000 }],
  [{ total: 4999, head: 3000 }, 'routes[0].timeouts.total: is 4999 ms, less than connecting (2000 ms) and waiting for the head (3000 ms) may take; raise it, or lower timeouts.head or pool.connectTimeout'],
  [{ total: 100, head: 0 }],
  [{ total: 5000, head: 1000, attempt: 5000 }],
  [{ total: 5000, head: 1000, attempt: 5001 }, 'routes[0].timeouts.attempt: is 5001 ms, more than the total of 5000 ms']
]

for (const [timeouts, ...problems] of timeoutRules) {
  test(`finds ${problems.length === 0 ? 'nothing wrong with' : 'the contradiction in'} the timeouts ${JSON.stringify(timeouts)}`, () => {
    assert.deepEqual(problemsWith({ timeouts }), problems)
  })
}

// pool.connectTimeout of this one is nobody's.
const timeoutRulesAlone: typeof timeoutRules = [
  [{ total: 5000, head: 5000 }],
  [{ total: 5000, head: 5001 }, 'routes[0].timeouts.head: is 5001 ms, more than the total of 5000 ms'],
  [{ total: 5000, attempt: 5001 }, 'routes[0].timeouts.attempt: is 5001 ms, more than the total of 5000 ms']
]

for (const [timeouts, ...problems] of timeoutRulesAlone) {
  test(`of an upstream that says nothing of connecting, finds ${problems.length === 0 ? 'nothing wrong with' : 'the contradiction in'} the timeouts ${JSON.stringify(timeouts)}`, () => {
    assert.deepEqual(problemsWith({ timeouts, upstream: 'next' }), problems)
  })
}

test('timeouts that nobody wrote fit into the total', () => {
  assert.deepEqual({ ...routeWith({ timeouts: { total: 5000 } })!.timeouts }, { head: 5000, idle: 60000, total: 5000, attempt: Infinity, write: 60000 })
})

const templates: readonly (readonly [url: string, template: string, fault: string | null])[] = [
  ['/users/:id', '/v2/users/:id', null],
  ['/users/:id', '/v2/:id/:id', null],
  ['/users/:id', '/v2', null],
  ['/a/:x/:y/*', '/:y/:x/*', null],
  ['/orders/*', '/v2*', null],
  ['/users/:id', 'v2', "must begin with '/', not 'v2'"],
  ['/users/:id', '', "must begin with '/', not ''"],
  ['/users/:id', '/v2?x=1', 'must be a path, without query'],
  ['/users/:id', '/v2#x', 'must be a path, without query'],
  ['/users/:id', '/v 2', 'must be a path, without query'],
  ['/users/:id', '/v2\\x', 'must be a path, without query'],
  ['/a/*', '/*/v2', "may have '*' only at its end"],
  ['/a/*', '/*/v2/*', "may have '*' only at its end"],
  ['/users/:id', '/v2/*', "has a wildcard, and '/users/:id' has none"],
  ['/users/:id', '/v2/:name', "uses ':name', which '/users/:id' does not have"]
]

for (const [url, template, fault] of templates) {
  test(`${fault === null ? 'takes' : 'refuses'} the template '${template}' for ${url}`, () => {
    assert.deepEqual(problemsWith({ rewrite: template }, url), fault === null ? [] : [`routes[0].rewrite: ${fault}`])
    assert.equal(routeWith({ rewrite: template }, building(), url) === null, fault !== null)
  })
}

test('tells of all that is wrong with a route together', () => {
  const problems = problemsWith({ upstream: 'ordres', rewrite: 'x', canaries: [{ upstream: 'nxt' }, { upstream: 'next' }, { upstream: 'no' }], timeouts: { total: 1, attempt: 2 } })
  assert.deepEqual(problems.map((problem) => problem.split(':', 1)[0]), ['routes[0].upstream', 'routes[0].canaries[0].upstream', 'routes[0].canaries[2].upstream', 'routes[0].timeouts.attempt', 'routes[0].rewrite'])
})

test('builds no route to an upstream or a canary that is not there', () => {
  assert.equal(routeWith({ upstream: 'ordres' }), null)
  assert.equal(routeWith({ canary: { upstream: 'nxt' } }), null)
  assert.deepEqual(problemsWith({ canary: { upstream: 'nxt' } }), ['routes[0].canary.upstream: no nxt'])
})

const canaryNames: readonly (readonly [names: (string | undefined)[], result: string[] | string])[] = [
  [[undefined], ['next']],
  [['beta'], ['beta']],
  [['a', 'b', undefined], ['a', 'b', 'next']],
  [['stable'], "routes[0].canary.name: 'stable' is taken by another variant of this route; give it a name of its own"],
  [[undefined, undefined], "routes[0].canaries[1].name: 'next' is taken by another variant of this route; give it a name of its own"],
  [['a', 'b', 'a'], "routes[0].canaries[2].name: 'a' is taken by another variant of this route; give it a name of its own"]
]

for (const [names, result] of canaryNames) {
  test(`${typeof result === 'string' ? 'refuses' : 'takes'} canaries named ${names.join(', ') || 'nothing'}`, () => {
    const built = building()
    const canaries = names.map((name) => ({ upstream: 'next', ...name !== undefined && { name } }))
    const route = routeWith({ canaries }, built)
    if (typeof result === 'string') assert.deepEqual(built.problems.map(({ path, message }) => `${path}: ${message}`), [result])
    else assert.deepEqual(route!.canaries!.map(({ name }) => name), result)
  })
}

test('reads the rules of a canary once, so that requests need not', () => {
  const [canary] = routeWith({ canary: { upstream: 'next', header: 'X-Canary', cookie: 'Canary', values: [' Beta ', 'V2'], weight: 2.5, onEmpty: 'fail', fallback: true } })!.canaries!
  assert.deepEqual([canary!.header, canary!.cookie, canary!.values, canary!.weight, canary!.onEmpty, canary!.fallback, canary!.sticky], ['x-canary', 'Canary', new Set(['beta', 'v2']), 2.5, 'fail', true, null])
  assert.equal(canary!.upstream.name, 'next')
})

test('matches a pattern without regard to case, and every time alike', () => {
  const [canary] = routeWith({ canary: { upstream: 'next', values: /^BETA-\d/gym } })!.canaries!
  const values = canary!.values as RegExp
  assert.deepEqual([1, 2, 3].map(() => values.test('beta-1')), [true, true, true])
  assert.equal(values.flags, 'im')
})

test('finds the sticky key in a header, a cookie, or by a function', () => {
  const request = requestWith({ headers: { 'x-user': 'alice', cookie: 'a=1; sid=s1' }, id: 'r1' })
  const keyOf = (sticky: NonNullable<RouteOptions['canary']>['sticky']) => routeWith({ canary: { upstream: 'next', sticky: sticky! } })!.canaries![0]!.sticky!
  assert.equal(keyOf({ header: 'X-User' })(request), 'alice')
  assert.equal(keyOf({ cookie: 'sid' })(request), 's1')
  assert.equal(keyOf({ cookie: 'none' })(request), undefined)
  assert.equal(keyOf(({ id }) => id)(request), 'r1')
})

const paths: readonly (readonly [what: string, url: string, own: object, path: string, sent: string | null, location: string, back: string])[] = [
  ['as it is', '/orders/*', {}, '/orders/7', '/orders/7', 'http://10.0.0.1/orders/8', '/orders/8'],
  ['with the prefix replaced', '/api/*', { rewritePrefix: '/v2/' }, '/api/7', '/v2/7', '/v2/8', '/api/8'],
  ['with the prefix taken off', '/api/*', { rewritePrefix: '' }, '/api/7', '/7', '/8', '/api/8'],
  ['with a prefix of parameters replaced', '/t/:id/*', { rewritePrefix: '/v2' }, '/t/1/x', '/v2/x', '/v2/y', '/v2/y'],
  ['by a template', '/api/*', { rewrite: '/v2/*' }, '/api/7', '/v2/7', '/v2/8', '/api/8'],
  ['by a template behind parameters', '/t/:id/*', { rewrite: '/v2/*' }, '/t/1/x', '/v2/x', '/v2/y', '/v2/y'],
  ['by a template of one path', '/users', { rewrite: '/v2' }, '/users', '/v2', '/v2', '/v2'],
  ['by a template with parameters', '/users/:id', { rewrite: '/v2/:id' }, '/users/1', '/v2/1', '/v2/1', '/v2/1'],
  ['by a function', '/users/:id', { rewrite: () => '/fn' }, '/users/1', '/fn', '/fn', '/fn'],
  ['and refuses one that is not of its url', '/users/:id', {}, '/user/1', null, '/x', '/x']
]

for (const [what, url, own, path, sent, location, back] of paths) {
  test(`sends the path ${what}, and brings redirects back the same way`, () => {
    const built = building()
    const { rewritePrefix, ...rest } = own as { rewritePrefix?: string }
    const config = normalizeRoute({ url, upstream: 'orders', ...rest }, {}, '', built.problems)!
    const route = buildRoute('id', url, { ...config, rewritePrefix: rewritePrefix ?? null }, built)!
    assert.equal(route.path.rewrite(path, requestWith({ params: { id: '1' } })), sent)
    const exchange = exchangeWith({ route })
    exchange.last = attemptOf(exchange)
    const head = { statusCode: 302, headers: { location } }
    for (const transform of route.responseTransforms) transform.apply(head, exchange)
    assert.equal(head.headers.location, back)
  })
}
