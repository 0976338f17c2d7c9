import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import proxy, { ConfigError } from '../../lib/index.ts'
import type { ProxyOptions } from '../../types/index.ts'
import { answer, origin } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

const url = 'http://127.0.0.1:9'

function fresh (t: TestContext): FastifyInstance {
  const app = Fastify()
  t.after(() => app.close())
  return app
}

/** What `ready` says of options that the types would not let through either. */
async function problemsOf (t: TestContext, ...registrations: unknown[]): Promise<Record<string, string>> {
  const app = fresh(t)
  for (const options of registrations) await app.register(proxy, options as ProxyOptions)
  const error = await app.ready().then(() => null, (error: unknown) => error)
  if (error === null) return {}
  assert.ok(error instanceof ConfigError, String(error))
  assert.equal(error.code, 'FST_SLUICE_CONFIG')
  for (const { path, message } of error.problems) assert.ok(error.message.includes(`${path}: ${message}`), 'the message lists every problem')
  return Object.fromEntries(error.problems.map(({ path, message }) => [path, message]))
}

test('reports the problems of all registrations together', async (t) => {
  const problems = await problemsOf(t,
    { upstreams: { a: 'ftp://x', b: { endpoints: [] } }, routes: [{ url: 'no-slash', upstream: 'a' }, { upstream: 'b' }] },
    { prefix: 'x', upstream: url },
    { prefix: '/c', upstream: 'nowhere', timeout: {} }
  )

  assert.deepEqual(Object.keys(problems).sort(), ['prefix', 'routes[0].url', 'routes[1].url', 'timeout', 'upstream', 'upstreams.a.endpoints[0].origin', 'upstreams.b.endpoints'])
})

test('does not start on wrong options', async (t) => {
  const app = fresh(t)
  await app.register(proxy, { prefix: '/a', upstream: 'nowhere' })

  await assert.rejects(async () => app.listen({ port: 0, host: '127.0.0.1' }), ConfigError)
  assert.equal(app.server.listening, false)
})

test('problems of routes declared from code are reported with the others', async (t) => {
  const app = fresh(t)
  await app.register(proxy, { upstreams: { users: url }, routes: [{ url: '/a', upstream: 'user' }] })
  app.proxy.route({ url: '/b', upstream: 'users', expose: 'yes' as unknown as boolean })
  app.proxy.route({ url: '/c', upstream: 'usersx' })

  const error = await app.ready().then(() => null, (error: unknown) => error)

  assert.ok(error instanceof ConfigError)
  assert.deepEqual(error.problems.map(({ path }) => path).sort(), ['route.expose', 'route.upstream', 'routes[0].upstream'])
})

/** Options with this as their only route, which lacks nothing else. */
function route (behaviour: object): object {
  return { upstreams: { users: url }, routes: [{ url: '/x/:id/*', upstream: 'users', ...behaviour }] }
}

function upstream (options: object): object {
  return { upstreams: { users: { endpoints: [url], ...options } }, routes: [] }
}

// What is wrong, where it is reported, and what the message must say.
const wrong: readonly [options: unknown, path: string, message: RegExp][] = [
  [route({ websocket: 'yes' }), 'routes[0].websocket', /true or false or an object/],
  [route({ websocket: { idleTimeOut: 1 } }), 'routes[0].websocket.idleTimeOut', /did you mean 'idleTimeout'/],
  [route({ websocket: { idleTimeout: -1 } }), 'routes[0].websocket.idleTimeout', />= 0/],
  [route({ websocket: { allowedOrigins: 'https://a' } }), 'routes[0].websocket.allowedOrigins', /strings or a function/],
  [route({ websocket: true, method: 'POST' }), 'routes[0].websocket', /takes GET/],
  [{ upstreams: { a: { endpoints: [url], pool: { protocol: 'h2' } } }, routes: [{ url: '/a', upstream: 'a', websocket: true }] }, 'routes[0].websocket', /HTTP\/1.1/],
  [route({ body: { requestLimit: 0 } }), 'routes[0].body.requestLimit', />= 1/],
  [route({ body: { rewrites: [] } }), 'routes[0].body.rewrites', /did you mean 'rewrite'/],
  [route({ body: { rewrite: [['', 'x']] } }), 'routes[0].body.rewrite.replace', /not empty/],
  [route({ body: { rewrite: [[/x/, 'y']] } }), 'routes[0].body.rewrite.replace', /list of pairs/],
  [route({ body: { rewrite: { types: ['a/b'] } } }), 'routes[0].body.rewrite', /needs/],
  [route({ body: { rewrite: { replace: [['a', 'b']], whole: () => '' } } }), 'routes[0].body.rewrite', /not both/],
  [route({ body: { rewrite: () => '', rewriteJson: () => '' } }), 'routes[0].body.rewrite', /rewriteJson/],
  [route({ cookies: { sameSite: 'none' } }), 'routes[0].cookies.sameSite', /secure: true/],
  [route({ cookies: { domain: 'a; b' } }), 'routes[0].cookies.domain', /semicolon/],
  [{ upstreams: {}, rotues: [] }, 'rotues', /did you mean 'routes'/],
  [{ upstream: url, onrequest: () => {} }, 'onrequest', /did you mean 'onRequest'/],
  [{ upstream: url, timeout: { head: 1 } }, 'timeout', /did you mean 'timeouts'/],
  [{ upstreams: {}, routes: [], timeouts: { head: 1 } }, 'timeouts', /`defaults`/],
  [{ upstreams: {}, routes: {} }, 'routes', /must be an array/],
  [{ upstreams: [], routes: [] }, 'upstreams', /must be an object/],
  [{ upstreams: { a: 'http://x/?q' }, routes: [] }, 'upstreams.a.endpoints[0].origin', /URL without query/],
  [{ upstreams: { a: 'http://u:p@x' }, routes: [] }, 'upstreams.a.endpoints[0].origin', /URL/],
  [{ upstreams: { 'my-api': 'x' }, routes: [] }, 'upstreams["my-api"].endpoints[0].origin', /not 'x'/],
  [{ upstream: 'http://x/?q' }, 'upstream', /there is no upstream.*URL without query/],
  [{ upstream: url, prefix: '/api/:id', rewritePrefix: '/:id/x' }, 'rewritePrefix', /has no parameters such as '\/:id'; `rewrite` has: '\/:id\/x\/\*'$/],
  [upstream({ balancer: 'round-robbin' }), 'upstreams.users.balancer', /did you mean 'round-robin'/],
  [upstream({ endpoints: [{ origin: url, weight: -1 }] }), 'upstreams.users.endpoints[0].weight', />= 0/],
  [upstream({ pool: { connection: 1 } }), 'upstreams.users.pool.connection', /did you mean 'connections'/],
  [upstream({ pool: { connections: 0 } }), 'upstreams.users.pool.connections', />= 1/],
  [upstream({ pool: { connectTimeout: '5s' } }), 'upstreams.users.pool.connectTimeout', /whole number, not '5s'/],
  [upstream({ pool: { tls: { rejectUnauthorised: false } } }), 'upstreams.users.pool.tls.rejectUnauthorised', /did you mean 'rejectUnauthorized'/],
  [upstream({ rates: {} }), 'upstreams.users.rates', /is not an option/],
  [route({ upstream: undefined }), 'routes[0].upstream', /is required/],
  [route({ upstream: 'user' }), 'routes[0].upstream', /did you mean 'users'/],
  [route({ upstream: 'other' }), 'routes[0].upstream', /`upstreams`/],
  [route({ handler: () => {} }), 'routes[0].handler', /reply\.proxy/],
  [route({ method: 7 }), 'routes[0].method', /string/],
  [route({ method: 'NOSUCH' }), 'routes[0]', /NOSUCH/],
  [route({ webhook: true }), 'routes[0].webhook', /is not an option/],
  [route({ retry: true }), 'routes[0].retry', /must be false or an object/],
  [route({ retry: { on: [200] } }), 'routes[0].retry.on[0]', /a status from 400 to 599, not 200/],
  [route({ retry: { on: ['timeout'] }, timeouts: { head: 0 } }), 'routes[0].retry.on', /never happens/],
  [route({ retry: { backoff: { base: 300, max: 250 } } }), 'routes[0].retry.backoff', /a base of 300 ms, more than its max of 250 ms/],
  [route({ retry: { budget: { share: 1.5 } } }), 'routes[0].retry.budget.share', /<= 1/],
  [route({ retry: { attempts: -1 } }), 'routes[0].retry.attempts', />= 0/],
  [route({ body: { replay: -1 } }), 'routes[0].body.replay', />= 0/],
  [route({ forwardDeadline: 'not a name' }), 'routes[0].forwardDeadline', /a header name/],
  [route({ host: 7 }), 'routes[0].host', /a string, not 7/],
  [route({ rewrite: 'v2' }), 'routes[0].rewrite', /begin with '\/'/],
  [route({ rewrite: '/v2/:name' }), 'routes[0].rewrite', /':name'/],
  [route({ rewrite: '/v2/*/x' }), 'routes[0].rewrite', /at its end/],
  [route({ rewrite: '/v2?x' }), 'routes[0].rewrite', /without query/],
  [route({ url: '/x', rewrite: '/v2/*' }), 'routes[0].rewrite', /wildcard/],
  [route({ forwarded: 'x-forward' }), 'routes[0].forwarded', /did you mean 'x-forwarded'/],
  [route({ forwarded: true }), 'routes[0].forwarded', /string or false, not true/],
  [route({ via: 'not a token' }), 'routes[0].via', /token/],
  [route({ trace: 'participat' }), 'routes[0].trace', /did you mean 'participate'/],
  [route({ encodedSlashes: 'keep' }), 'routes[0].encodedSlashes', /one of 'forward', 'reject'/],
  [route({ credentials: 'x-user' }), 'routes[0].credentials', /a function or an object/],
  [route({ credentials: { names: ['x-user'] } }), 'routes[0].credentials.of', /is required/],
  [route({ credentials: { of: () => ({}) } }), 'routes[0].credentials.names', /is required/],
  [route({ credentials: { names: [], of: () => ({}) } }), 'routes[0].credentials.names', /must not be empty/],
  [route({ credentials: { names: ['x user'], of: () => ({}) } }), 'routes[0].credentials.names[0]', /a header name/],
  [route({ timeouts: { head: -1 } }), 'routes[0].timeouts.head', />= 0/],
  [route({ timeouts: { heads: 1 } }), 'routes[0].timeouts.heads', /did you mean 'head'/],
  [{ ...route({ timeouts: { total: 100, head: 60 } }), upstreams: { users: { endpoints: [url], pool: { connectTimeout: 50 } } } }, 'routes[0].timeouts.total', /less than connecting \(50 ms\)/],
  [route({ timeouts: { total: 100, head: 101 } }), 'routes[0].timeouts.head', /^is 101 ms, more than the total of 100 ms$/],
  [{ ...route({ timeouts: { total: 100 } }), defaults: { timeouts: { head: 101 } } }, 'routes[0].timeouts.head', /^is 101 ms, more than the total of 100 ms$/],
  [upstream({ health: { timeout: 100, maxLatency: 200 } }), 'upstreams.users.health.maxLatency', /more than the 100 ms of health.timeout/],
  [upstream({ outlier: { baseEjection: 200, maxEjection: 100 } }), 'upstreams.users.outlier.maxEjection', /less than the 200 ms/],
  [route({ timeouts: { total: 100, attempt: 200, head: 0 } }), 'routes[0].timeouts.attempt', /more than the total/],
  [route({ headers: { request: { set: { 'a b': '1' } } } }), 'routes[0].headers.request.set["a b"]', /header name/],
  [route({ headers: { request: { set: { a: 1 } } } }), 'routes[0].headers.request.set.a', /a string or a function, not 1/],
  [route({ headers: { response: { whenn: 'always' } } }), 'routes[0].headers.response.whenn', /did you mean 'when'/],
  [route({ headers: { response: { when: 'never' } } }), 'routes[0].headers.response.when', /one of/],
  [route({ canary: { upstream: 'user' } }), 'routes[0].canary.upstream', /did you mean 'users'/],
  [route({ canary: { upstream: 'users', weight: 101 } }), 'routes[0].canary.weight', /<= 100/],
  [route({ canary: { upstream: 'users', sticky: { ip: true } } }), 'routes[0].canary.sticky', /header, cookie/],
  [route({ canary: { upstream: 'users', values: 'v1' } }), 'routes[0].canary.values', /regular expression/],
  [route({ canary: { upstream: 'users' }, canaries: [] }), 'routes[0].canary', /either/],
  [route({ canaries: [{ upstream: 'users' }, { upstream: 'users' }] }), 'routes[0].canaries[1].name', /taken/],
  [{ upstream: url, defaults: { hosts: 'x' } }, 'defaults.hosts', /did you mean 'host'/]
]

test('says of each wrong option where it stands and what was probably meant', async (t) => {
  for (const [options, path, message] of wrong) {
    const problems = await problemsOf(t, options)
    assert.deepEqual(Object.keys(problems), [path], JSON.stringify(options))
    assert.match(problems[path]!, message)
  }
})

// Each says one thing; the limits that it does not fit beside are nobody's.
const alone: readonly (readonly [options: object, effective: object])[] = [
  [route({ timeouts: { total: 5000 } }), { timeouts: { total: 5000, head: 5000, attempt: null } }],
  [route({ timeouts: { total: 1 } }), { timeouts: { total: 1, head: 1 } }],
  [route({ timeouts: { total: 5000, head: 1000 } }), { timeouts: { total: 5000, head: 1000 } }],
  [{ ...route({}), defaults: { timeouts: { total: 700 } } }, { timeouts: { total: 700, head: 700 }, limits: { queueTimeout: 700 } }],
  [{ ...route({ timeouts: { total: 0 } }), defaults: { timeouts: { total: 700 } } }, { timeouts: { total: null, head: 30_000 }, limits: { queueTimeout: 5000 } }],
  [{ ...route({ timeouts: { total: 700 } }), upstreams: { users: { endpoints: [url], pool: { connectTimeout: 10_000 } } } }, { timeouts: { total: 700, head: 700 } }],
  [route({ timeouts: { total: 3000 }, retry: { attempts: 2, on: ['timeout'] } }), { timeouts: { total: 3000, head: 3000, attempt: 1000 } }],
  [route({ timeouts: { total: 3000, head: 500 }, retry: { attempts: 2, on: ['timeout'] } }), { timeouts: { total: 3000, head: 500, attempt: null } }],
  [route({ timeouts: { attempt: 3000 } }), { timeouts: { attempt: 3000, head: 30_000 } }],
  [route({ retry: { backoff: { base: 1000 } } }), { retry: { backoff: { base: 1000, max: 1000 } } }],
  [route({ retry: { backoff: { max: 10 } } }), { retry: { backoff: { base: 10, max: 10 } } }]
]

for (const [options, effective] of alone) {
  test(`a limit that is written alone makes the others fit: ${JSON.stringify({ ...options, upstreams: undefined })}`, async (t) => {
    const app = fresh(t)
    await app.register(proxy, options as ProxyOptions)
    await app.ready()
    const { policies } = app.proxy.explain({ url: '/x/1/2' })
    for (const [group, values] of Object.entries(effective as Record<string, Record<string, unknown>>)) {
      const held = policies[group] as Record<string, unknown>
      assert.deepEqual(Object.fromEntries(Object.keys(values).map((name) => [name, held[name]])), values)
    }
  })
}

test('so do those of an upstream', async (t) => {
  const problems = await problemsOf(t, {
    upstreams: {
      a: { endpoints: [url], pool: { warm: 200 } },
      b: { endpoints: [url], outlier: { maxEjection: 1000 } },
      c: { endpoints: [url], outlier: { baseEjection: 600_000 } },
      d: { endpoints: [url], health: { maxLatency: 8000 } },
      e: { endpoints: [url], health: { interval: 100, maxLatency: 200 } },
      f: { endpoints: [url], health: { interval: 100 } }
    },
    routes: []
  })
  assert.deepEqual(problems, {})
})

test('a faulty upstream is told of where it is declared, and not as missing where it is used', async (t) => {
  const problems = await problemsOf(t, {
    upstreams: { users: { endpoints: [url], pool: { warm: 10, connections: 5 } }, next: { endpoints: [url], outlier: { baseEjection: 60_000, maxEjection: 1000 } } },
    routes: [{ url: '/*', upstream: 'users', canary: { upstream: 'next', weight: 5 } }]
  }, { prefix: '/more', upstream: 'users' })

  assert.deepEqual(Object.keys(problems), ['upstreams.users.pool.warm', 'upstreams.next.outlier.maxEjection'])
})

test('a name that two registrations declare is a problem', async (t) => {
  const problems = await problemsOf(t, { upstreams: { users: url }, routes: [] }, { upstreams: { users: url }, routes: [] })

  assert.match(problems['upstreams.users']!, /declared twice/)
})

test('a route that two registrations declare is a problem', async (t) => {
  const problems = await problemsOf(t,
    { upstreams: { users: url }, routes: [{ url: '/a', method: 'GET', upstream: 'users' }] },
    { routes: [{ url: '/a', method: 'GET', upstream: 'users' }] }
  )

  assert.match(problems['routes[0]']!, /already declared/)
})

test('a route for every method that is declared twice is a problem of one line', async (t) => {
  const problems = await problemsOf(t, { upstreams: { users: url }, routes: [{ url: '/a', upstream: 'users' }, { url: '/a', upstream: 'users' }] })

  assert.match(problems['routes[1]']!, /^Method .*'GET'.* already declared for route '\/a'$/)
})

test('options are neither written to nor read again', async (t) => {
  const upstream = await origin(t, answer(200, 'one'))
  const options = { upstreams: { main: { endpoints: [upstream.url] } }, defaults: { timeouts: { idle: 9 } }, routes: [{ url: '/x', upstream: 'main', timeouts: { head: 5000 } }] }
  const before = structuredClone(options)

  const app = await start(t, options)
  assert.deepEqual(options, before)
  options.upstreams.main.endpoints[0] = url
  options.routes[0]!.upstream = 'other'

  assert.equal((await app.get('/x')).body, 'one')
})
