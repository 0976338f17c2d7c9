import assert from 'node:assert/strict'
import { test } from 'node:test'
import { normalize, normalizeRoute } from '../../../lib/config/normalize.ts'
import type { Problem } from '../../../types/control.ts'

function problemsOf (options: unknown): string[] {
  const problems: Problem[] = []
  normalize(options, problems)
  return problems.map(({ path, message }) => `${path}: ${message}`)
}

const url = '/a'
const upstream = 'http://10.0.0.1'
const endpoints = [upstream]

function onRoute (own: object): object {
  return { routes: [{ url, upstream, ...own }] }
}

// Every place where a key may be misspelt.
const unknownKeys: readonly (readonly [options: object, problem: string])[] = [
  [{ upsteams: {} }, "upsteams: is not an option; did you mean 'upstreams'?"],
  [{ rewriteprefix: '/' }, "rewriteprefix: is not an option; did you mean 'rewritePrefix'?"],
  [{ upstream, cannary: {} }, "cannary: is not an option; did you mean 'canary'?"],
  [{ upstream, onrequest: [] }, "onrequest: is not an option; did you mean 'onRequest'?"],
  [{ upstream, url: '/a' }, 'url: is not an option'],
  [{ upstream, 'x-nonsense': 1 }, '["x-nonsense"]: is not an option'],
  [{ upstreams: { a: { endpoints, balancr: 'random' } } }, "upstreams.a.balancr: is not an option; did you mean 'balancer'?"],
  [{ upstreams: { a: { endpoints, health: true } } }, 'upstreams.a.health: must be false or an object, not true'],
  [{ upstreams: { a: { endpoints, health: { pth: '/' } } } }, "upstreams.a.health.pth: is not an option; did you mean 'path'?"],
  [{ upstreams: { a: { endpoints, health: { path: 'up' } } } }, "upstreams.a.health.path: must be a path that begins with '/', not 'up'"],
  [{ upstreams: { a: { endpoints, health: { status: [] } } } }, 'upstreams.a.health.status: must be a list of whole numbers or a function, not an empty array'],
  [{ upstreams: { a: { endpoints, health: { status: [99] } } } }, 'upstreams.a.health.status: has 99, which is no status of an answer'],
  [{ upstreams: { a: { endpoints, health: { headers: { Upgrade: 'x' } } } } }, 'upstreams.a.health.headers.upgrade: is not for a health check to set'],
  [{ upstreams: { a: { endpoints, health: { headers: { 'x-a': 'b\r\nc: d' } } } } }, "upstreams.a.health.headers[\"x-a\"]: must be a header value, on one line, not 'b\r\nc: d'"],
  [{ upstreams: { a: { endpoints, outlier: { baseEjection: 30_000, maxEjection: 20_000 } } } }, 'upstreams.a.outlier.maxEjection: is 20000 ms, less than the 30000 ms of outlier.baseEjection'],
  [{ upstreams: { a: { endpoints, health: { timeout: 2000, maxLatency: 3000 } } } }, 'upstreams.a.health.maxLatency: is 3000 ms, more than the 2000 ms of health.timeout'],
  [{ upstreams: { a: { endpoints, outlier: { maxEjectedShare: 1.5 } } } }, 'upstreams.a.outlier.maxEjectedShare: must be <= 1, not 1.5'],
  [{ upstreams: { a: { endpoints, outlier: { failureRate: 0 } } } }, 'upstreams.a.outlier.failureRate: must be > 0, not 0'],
  [{ upstreams: { a: { endpoints, slowStart: -1 } } }, 'upstreams.a.slowStart: must be >= 0, not -1'],
  [{ upstreams: { a: { endpoints, pool: { warm: 3, connections: 2 } } } }, 'upstreams.a.pool.warm: is 3, more than the 2 of pool.connections'],
  [{ upstreams: { a: { endpoints: [{ origin: 'http://a', priority: -1 }] } } }, 'upstreams.a.endpoints[0].priority: must be >= 0, not -1'],
  [{ upstreams: { 'a-b': { endpoints: [{ origin: upstream, wieght: 2 }] } } }, "upstreams[\"a-b\"].endpoints[0].wieght: is not an option; did you mean 'weight'?"],
  [{ upstreams: { a: { endpoints, pool: { conections: 2 } } } }, "upstreams.a.pool.conections: is not an option; did you mean 'connections'?"],
  [{ upstreams: { a: { endpoints, pool: { tls: { rejectUnauthorised: false } } } } }, "upstreams.a.pool.tls.rejectUnauthorised: is not an option; did you mean 'rejectUnauthorized'?"],
  [{ upstream: { endpoints, limits: { actve: 1 } } }, "upstream.limits.actve: is not an option; did you mean 'active'?"],
  [onRoute({ retry: { on: ['conect'] } }), "routes[0].retry.on[0]: must be 'connect', 'stale', 'reset', 'timeout', or a status from 400 to 599, not 'conect'"],
  [onRoute({ retry: true }), 'routes[0].retry: must be false or an object, not true'],
  [onRoute({ rewritePrefix: '/' }), 'routes[0].rewritePrefix: is not an option'],
  [onRoute({ timeouts: { heads: 1 } }), "routes[0].timeouts.heads: is not an option; did you mean 'head'?"],
  [onRoute({ headers: { requests: {} } }), "routes[0].headers.requests: is not an option; did you mean 'request'?"],
  [onRoute({ headers: { request: { sett: {} } } }), "routes[0].headers.request.sett: is not an option; did you mean 'set'?"],
  [onRoute({ headers: { request: { when: 'always' } } }), 'routes[0].headers.request.when: is not an option'],
  [onRoute({ headers: { response: { wen: 'always' } } }), "routes[0].headers.response.wen: is not an option; did you mean 'when'?"],
  [onRoute({ canary: { upstream, wieght: 5 } }), "routes[0].canary.wieght: is not an option; did you mean 'weight'?"],
  [onRoute({ canaries: [{ upstream }, { upstream, headr: 'x' }] }), "routes[0].canaries[1].headr: is not an option; did you mean 'header'?"],
  [{ defaults: { expoze: true } }, "defaults.expoze: is not an option; did you mean 'expose'?"],
  [{ defaults: { timeouts: { totel: 1 } } }, "defaults.timeouts.totel: is not an option; did you mean 'total'?"],
  [{ defaults: { onRequest: [] } }, 'defaults.onRequest: is not an option']
]

for (const [options, problem] of unknownKeys) {
  test(`says '${problem}'`, () => {
    assert.deepEqual(problemsOf(options), [problem])
  })
}

const wrongValues: readonly (readonly [options: unknown, ...problems: string[]])[] = [
  [null, 'options: must be an object'],
  [new Map(), 'options: must be an object'],
  [{ prefix: 'api' }, "prefix: must be a path that begins with '/', not 'api'"],
  [{ prefix: 5, upstream }, 'prefix: must be a string, not 5'],
  [{ routes: {} }, 'routes: must be an array, not an object'],
  [{ upstreams: [] }, 'upstreams: must be an object, not an empty array'],
  [{ defaults: 5 }, 'defaults: must be an object, not 5'],
  [{ defaults: null }, 'defaults: must be an object, not null'],
  [{ routes: [5] }, 'routes[0]: must be an object'],
  [{ routes: [{}] }, 'routes[0].url: is required', 'routes[0].upstream: is required'],
  [{ upstream: undefined }, 'upstream: is required'],
  [{ upstream: 5 }, 'upstream: must be a string, not 5'],
  [{ upstream, rewritePrefix: 'v2' }, "rewritePrefix: must be a path that begins with '/', not 'v2'"],
  [{ upstream, rewritePrefix: '/v2', rewrite: '/v3/*' }, 'rewritePrefix: cannot be given together with `rewrite`'],
  [{ upstream: { endpoints: [] } }, 'upstream.endpoints: must not be empty'],
  [{ upstreams: { a: 5 } }, 'upstreams.a: must be an object, not 5'],
  [{ upstreams: { a: 'ftp://a' } }, "upstreams.a.endpoints[0].origin: must be an http or https URL without query, such as 'http://10.0.0.1:3000', or a Unix socket, such as 'unix:/run/app.sock', not 'ftp://a'"],
  [{ upstreams: { a: {} } }, 'upstreams.a.endpoints: is required'],
  [{ upstreams: { a: { endpoints, balancer: 'hash' } } }, 'upstreams.a.balancer.key: is required'],
  [{ upstreams: { a: { endpoints, balancer: { name: 'hash', key: 'x-user' } } } }, "upstreams.a.balancer.key: must be a function or an object, not 'x-user'"],
  [{ upstreams: { a: { endpoints, balancer: { name: 'hash', key: { heder: 'x' } } } } }, 'upstreams.a.balancer.key: must be a function or an object with one string key of header, cookie'],
  [{ upstreams: { a: { endpoints, balancer: { name: 'random', key: { header: 'x' } } } } }, 'upstreams.a.balancer.key: is not an option'],
  [{ upstreams: { a: { endpoints, balancer: { name: 'randm' } } } }, "upstreams.a.balancer: must be a balancer with a `pick`, or have a `name` of 'power-of-two', 'round-robin', 'random', 'least-requests', 'peak-ewma', 'hash'; did you mean 'random'?"],
  [{ upstreams: { a: { endpoints, balancer: {} } } }, "upstreams.a.balancer: must be a balancer with a `pick`, or have a `name` of 'power-of-two', 'round-robin', 'random', 'least-requests', 'peak-ewma', 'hash'"],
  [{ upstreams: { a: { endpoints, balancer: () => 0 } } }, 'upstreams.a.balancer: must be a string or an object, not a function'],
  [{ upstreams: { a: { endpoints, balancer: 'round robin' } } }, "upstreams.a.balancer: must be one of 'power-of-two', 'round-robin', 'random', 'least-requests', 'peak-ewma', 'hash', not 'round robin'; did you mean 'round-robin'?"],
  [{ upstreams: { a: { endpoints: [{ origin: upstream, weight: -0.1 }] } } }, 'upstreams.a.endpoints[0].weight: must be >= 0, not -0.1'],
  [{ upstreams: { a: { endpoints, pool: { connections: 0, connectTimeout: 1.5 } } } }, 'upstreams.a.pool.connections: must be >= 1, not 0', 'upstreams.a.pool.connectTimeout: must be a whole number, not 1.5'],
  [onRoute({ url: 'a' }), "routes[0].url: must be a path that begins with '/', not 'a'"],
  [onRoute({ method: [] }), 'routes[0].method: must be a string or a list of strings, not an empty array'],
  [onRoute({ rewrite: 5 }), 'routes[0].rewrite: must be a string or a function, not 5'],
  [onRoute({ timeouts: { head: -1, idle: '5s' } }), 'routes[0].timeouts.head: must be >= 0, not -1', "routes[0].timeouts.idle: must be a whole number, not '5s'"],
  [onRoute({ timeouts: { head: 2 ** 31, idle: 2 ** 31 - 1, write: 1 } }), 'routes[0].timeouts.head: must be <= 2147483647, not 2147483648'],
  [onRoute({ forwarded: true }), 'routes[0].forwarded: must be a string or false, not true'],
  [onRoute({ forwarded: 'x-forward' }), "routes[0].forwarded: must be one of false, 'x-forwarded', 'forwarded', 'both', not 'x-forward'; did you mean 'x-forwarded'?"],
  [onRoute({ via: 'my proxy' }), "routes[0].via: must be a token, not 'my proxy'"],
  [onRoute({ trace: 'off' }), "routes[0].trace: must be one of false, 'participate', 'passthrough', 'restart', not 'off'"],
  [onRoute({ headers: { request: { set: { 'x a': 'b' } } } }), "routes[0].headers.request.set[\"x a\"]: must be a header name, not 'x a'"],
  [onRoute({ headers: { response: { remove: ['a:'], append: { b: 5 } } } }), 'routes[0].headers.response.append.b: must be a string or a function, not 5', "routes[0].headers.response.remove[0]: must be a header name, not 'a:'"],
  [onRoute({ canary: { header: 'x-canary' } }), 'routes[0].canary.upstream: is required'],
  [onRoute({ canary: { upstream, weight: 101 } }), 'routes[0].canary.weight: must be <= 100, not 101'],
  [onRoute({ canary: { upstream, sticky: 'sid' } }), "routes[0].canary.sticky: must be a function or an object, not 'sid'"],
  [onRoute({ canary: { upstream, sticky: { cokie: 'sid' } } }), 'routes[0].canary.sticky: must be a function or an object with one string key of header, cookie'],
  [onRoute({ canary: { upstream }, canaries: [] }), 'routes[0].canary: give either `canary` or `canaries`'],
  [onRoute({ handler: () => {} }), 'routes[0].handler: is the proxy itself; answer from a route of your own with `reply.proxy()` instead']
]

for (const [options, ...problems] of wrongValues) {
  test(`says '${problems.join("' and '")}'`, () => {
    assert.deepEqual(problemsOf(options).sort(), [...problems].sort())
  })
}

for (const key of ['canary', 'timeouts', 'onRequest', 'rewritePrefix', 'method']) {
  test(`says where ${key} belongs when no route is there to take it`, () => {
    assert.deepEqual(problemsOf({ upstreams: {}, [key]: '/' }), [`${key}: belongs to a route, to \`defaults\`, or to the one-line form with \`upstream\``])
  })
}

const goodValues: readonly object[] = [
  onRoute({ host: 'h', via: 'v0', trace: false, forwarded: false }),
  onRoute({ headers: { request: { set: { 'x-0': '', "!#$%&'*+.^_`|~": 'a' } } } }),
  onRoute({ canary: { upstream, name: 'b', header: 'x', cookie: 'c', weight: 0.01, sticky: () => 'key' } }),
  { upstreams: { a: { endpoints: [{ origin: upstream, weight: 0.1, host: 'h' }], pool: { connections: 1, connectTimeout: 1, keepAliveTimeout: 600_000, tls: { servername: 's' } } } } },
  { prefix: '', upstream, rewritePrefix: '' }
]

for (const options of goodValues) {
  test(`finds nothing wrong in ${JSON.stringify(options)}`, () => assert.deepEqual(problemsOf(options), []))
}

test('tells of everything at once, wherever it is', () => {
  const options = {
    prefix: 5,
    upstreams: { a: { endpoints: [] } },
    defaults: { vai: 'x' },
    routes: [{ url, upstream, timeout: {} }, { url, upstream, via: 5 }],
    upstream: 'b',
    trus: true
  }
  assert.deepEqual(problemsOf(options).map((problem) => problem.split(':', 1)[0]).sort(), ['defaults.vai', 'prefix', 'routes[0].timeout', 'routes[1].via', 'trus', 'upstreams.a.endpoints'])
})

test('tells of faulty defaults once, and not again for every route', () => {
  const routes = [{ url, upstream }, { url, upstream }]
  assert.deepEqual(problemsOf({ defaults: { timeouts: { head: 'x' } }, routes }), ["defaults.timeouts.head: must be a whole number, not 'x'"])
})

test('takes only what is right of a registration with problems', () => {
  const config = normalize({ upstreams: { a: {}, b: upstream }, routes: [{ url }, { url, upstream: 'b' }] }, [])
  assert.deepEqual([config.upstreams.map(({ name }) => name), config.routes.map((route) => route.upstream)], [['b'], ['b']])
})

test('names the route that app.proxy.route() was called with', () => {
  const problems: Problem[] = []
  assert.equal(normalizeRoute({ url, upstream, rewritePrefix: '/x' }, {}, 'route', problems), null)
  assert.equal(normalizeRoute([], {}, 'route', problems), null)
  assert.deepEqual(problems.map(({ path }) => path), ['route.rewritePrefix', 'route'])
})
