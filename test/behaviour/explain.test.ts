import assert from 'node:assert/strict'
import test from 'node:test'
import type { ProxyOptions } from '../../types/index.ts'
import { answer, origin, refusedPort } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

/** Fields whose values are chance, or are Node's own doing on the way. */
function comparable (headers: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { traceparent, connection, via, ...rest } = headers
  return { ...rest, traceparent: String(traceparent).slice(0, 36), via: String(via).replace(/\(.*\)/, '(…)') }
}

test('what is explained is what is sent: route, side, path and head', async (t) => {
  const stable = await origin(t, answer(200))
  const next = await origin(t, answer(200))
  const options: ProxyOptions = {
    upstreams: { users: `${stable.url}/base`, next: next.url },
    routes: [{
      url: '/users/:id',
      upstream: 'users',
      rewrite: '/v2/users/:id',
      canary: { name: 'beta', upstream: 'next', header: 'x-canary' },
      credentials: (request) => ({ 'x-user': (request as unknown as { user?: { sub: string } }).user?.sub }),
      headers: { request: { set: { 'x-tenant': (request) => request.hostname }, remove: ['cookie'] } },
      onProxyRequest: (head, exchange) => { head.headers['x-variant'] = exchange.variant }
    }]
  }
  const app = await start(t, options, { before: (app) => { app.addHook('onRequest', async (request) => { Object.assign(request, { user: { sub: 'ann' } }) }) } })
  const headers = { Host: 'shop.test', Cookie: 'a=1', Connection: 'x-hop', 'X-Hop': '1', 'X-Forwarded-For': '6.6.6.6', traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' }

  for (const [upstream, extra, variant] of [[stable, {}, 'stable'], [next, { 'X-Canary': 'true' }, 'beta']] as const) {
    const explained = app.app.proxy.explain({ url: '/users/7?full=1', headers: { ...headers, ...extra }, request: { user: { sub: 'ann' } } })
    assert.equal(upstream.hits, 0)
    await app.get('/users/7?full=1', { ...headers, ...extra })

    const [sent] = upstream.requests
    assert.deepEqual([explained.request!.method, explained.request!.path], [sent!.method, sent!.url])
    assert.deepEqual(comparable(explained.request!.headers), comparable(sent!.headers))
    assert.equal(explained.variant, variant)
    assert.deepEqual(explained.route, { id: '/users/:id', url: '/users/:id', params: { id: '7' } })
    assert.equal(explained.endpoints[0]!.url, upstream.url + sent!.url)
    assert.deepEqual([explained.refusal, explained.problems], [null, []])
  }
})

const requests: [method: string, path: string, headers: Record<string, string>][] = [
  ['HEAD', '/a/b?x=1', {}],
  ['OPTIONS', '/a/b', { origin: 'http://shop.test', 'access-control-request-method': 'PUT' }],
  ['DELETE', '/t/7?q', { 'x-forwarded-for': '6.6.6.6', forwarded: 'for=6.6.6.6', connection: 'x-hop, te', 'x-hop': '1', te: 'trailers' }],
  ['GET', '/a/%7Eb//c|d?', { cookie: 'a=1', 'proxy-authorization': 'x', 'x-canary': 'always', tracestate: 'a=1', baggage: 'user=ann' }],
  ['GET', '/a', { accept: 'text/plain', 'x-canary': 'never', 'x-secret': 'forged', 'accept-encoding': 'gzip, br' }],
  ['GET', '/one/line', { 'user-agent': 'x', 'if-none-match': '"a"', range: 'bytes=0-1' }]
]

for (const [method, path, headers] of requests) {
  test(`what is explained is what is sent: ${method} ${path}`, async (t) => {
    const upstream = await origin(t, answer(200))
    const app = await start(t, {
      upstreams: { main: `${upstream.url}/base`, next: `${upstream.url}/next` },
      routes: [
        { url: '/a/*', upstream: 'main', rewrite: '/x/*', canary: { upstream: 'next', header: 'x-canary' }, credentials: () => ({ 'x-secret': 'true' }) },
        { url: '/t/:id', upstream: 'main', rewrite: '/v2/:id', forwarded: 'both', headers: { request: { set: { 'x-set': '1' }, append: { accept: 'text/html' } } } },
        { url: '/one/*', upstream: 'main', host: 'original', via: false, trace: false }
      ]
    })

    // Of a trace that begins here, the ids are chance.
    const all = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', ...headers }
    const { request, refusal } = app.app.proxy.explain({ method, url: path, headers: { Host: `127.0.0.1:${app.port}`, ...all } })
    await app.request(path, { method, headers: all })

    const [sent] = upstream.requests
    assert.deepEqual([refusal, request!.method, request!.path], [null, sent!.method, sent!.url])
    assert.deepEqual(comparable(request!.headers), comparable(sent!.headers))
  })
}

test('says which canaries there were, what decided, and where the rest would go', async (t) => {
  const app = await start(t, {
    upstreams: { stable: 'http://127.0.0.1:9', a: 'http://127.0.0.1:9', b: 'http://127.0.0.1:9' },
    routes: [{ url: '/*', upstream: 'stable', canaries: [{ upstream: 'a', cookie: 'group', weight: 0 }, { upstream: 'b', weight: 100, sticky: { header: 'x-user' } }] }]
  })

  const explained = app.app.proxy.explain({ url: '/x', headers: { cookie: 'group=0', 'x-user': 'ann' } })
  assert.deepEqual([explained.variant, explained.variantReason, explained.upstream], ['stable', null, 'stable'])
  const weighed = app.app.proxy.explain({ url: '/x', headers: { 'x-user': 'ann' } })
  assert.deepEqual([weighed.variant, weighed.variantReason, weighed.upstream], ['b', 'weight', 'b'])
  assert.deepEqual(weighed.canaries, [
    { name: 'a', upstream: 'a', weight: 0, isChosen: false, header: null, cookie: null, stickyKey: null, isAvailable: true },
    { name: 'b', upstream: 'b', weight: 100, isChosen: true, header: null, cookie: null, stickyKey: 'ann', isAvailable: true }
  ])
  assert.equal(explained.canaries[0]!.cookie, '0')
})

test('says of every endpoint whether it may be picked, and why not', async (t) => {
  const app = await start(t, { upstreams: { main: ['http://127.0.0.1:1', 'http://127.0.0.1:2', 'http://127.0.0.1:3', 'http://127.0.0.1:4', 'http://127.0.0.1:5'] }, routes: [{ url: '/*', upstream: 'main' }] })
  const upstream = app.app.proxy.upstream('main')!
  const [broken, ejected, sick, , well] = upstream.state.endpoints
  broken!.breaker = 'open'
  ejected!.ejectedUntil = performance.now() + 60_000
  sick!.health = 'unhealthy'
  upstream.state = { ...upstream.state, available: [well!] }

  const { endpoints, request } = app.app.proxy.explain({ url: '/x' })

  assert.deepEqual(endpoints.map(({ isAvailable, reason }) => [isAvailable, reason]), [[false, 'breaker'], [false, 'ejected'], [false, 'unhealthy'], [false, 'others are preferred'], [true, null]])
  assert.ok(endpoints[1]!.ejectedFor > 50_000)
  assert.equal(request!.headers['host'], '127.0.0.1:5')

  upstream.state = { ...upstream.state, available: [] }
  assert.equal(app.app.proxy.explain({ url: '/x' }).refusal!.error, 'circuit_open')
  assert.equal((JSON.parse((await app.get('/x')).body) as { code: string }).code, 'FST_SLUICE_CIRCUIT_OPEN')
  broken!.breaker = 'closed'
  assert.equal(app.app.proxy.explain({ url: '/x' }).refusal!.error, 'no_healthy_upstream')
  assert.equal((JSON.parse((await app.get('/x')).body) as { code: string }).code, 'FST_SLUICE_NO_HEALTHY_UPSTREAM')
})

test('a TRACE has none of what is secret, and several lines of cookies are one', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { routes: [{ url: '/*', method: ['GET', 'TRACE'], upstream: upstream.url }] })

  const { request } = app.app.proxy.explain({ method: 'TRACE', url: '/x', headers: { authorization: 'Bearer x', cookie: 'a=1', accept: 'text/plain' } })
  assert.deepEqual([request!.headers['authorization'], request!.headers['cookie'], request!.headers['accept']], [undefined, undefined, 'text/plain'])
  assert.equal(app.app.proxy.explain({ url: '/x', headers: { Cookie: ['a=1', 'b=2'] } }).request!.headers['cookie'], 'a=1; b=2')
})

test('says who takes it where no proxied route does', async (t) => {
  const app = await start(t, { routes: [{ url: '/shop/*', upstream: 'http://127.0.0.1:9' }, { url: '/only', method: 'GET', upstream: 'http://127.0.0.1:9' }] }, {
    before: (app) => { app.get('/shop/early', async () => 'early') },
    after: (app) => { app.get('/shop/:id/late', async () => 'late') }
  })
  const takes = (url: string, method = 'GET'): [string | undefined, string | null] => {
    const { route, elsewhere } = app.app.proxy.explain({ url, method })
    return [route?.id, elsewhere]
  }

  assert.deepEqual(takes('/shop/x'), ['/shop/*', null])
  assert.deepEqual(takes('/shop'), ['/shop/*', null])
  assert.deepEqual(takes('/shop/early'), [undefined, '/shop/early'])
  assert.deepEqual(takes('/shop/7/late?x=1'), [undefined, '/shop/:id/late'])
  assert.deepEqual(takes('/nothing'), [undefined, null])
  assert.deepEqual(takes('/only', 'delete'), [undefined, null])
  assert.deepEqual([takes('/only', 'head')[0], takes('/only', 'get')[0]], ['GET /only', 'GET /only'])
})

test('follows constraints and the options of the router', async (t) => {
  const app = await start(t, {
    routes: [
      { url: '/x', upstream: 'http://127.0.0.1:1', constraints: { host: 'a.test' } },
      { url: '/x', upstream: 'http://127.0.0.1:2', constraints: { version: '2.0.0' } },
      { url: '/x', upstream: 'http://127.0.0.1:3' }
    ]
  }, { fastify: { routerOptions: { caseSensitive: false, ignoreTrailingSlash: true } } })
  const to = (headers: Record<string, string>, url = '/x'): string | undefined => app.app.proxy.explain({ url, headers }).endpoints[0]?.origin

  assert.equal(to({ host: 'a.test' }), 'http://127.0.0.1:1')
  assert.equal(to({ host: 'b.test', 'accept-version': '2.x' }), 'http://127.0.0.1:2')
  assert.equal(to({ host: 'b.test' }), 'http://127.0.0.1:3')
})

test('says how a request would be refused, and that nothing has been counted', async (t) => {
  const app = await start(t, {
    upstreams: { main: 'http://127.0.0.1:9', empty: 'http://127.0.0.1:9' },
    routes: [
      { url: '/*', upstream: 'main', canary: { upstream: 'empty', header: 'x-canary' } },
      { url: '/throws', upstream: 'main', credentials: (request) => ({ 'x-user': (request as unknown as { user: { sub: string } }).user.sub }), onProxyResponse: () => { throw new Error('no such answer') } }
    ]
  })
  const empty = app.app.proxy.upstream('empty')!
  empty.state = { ...empty.state, available: [] }
  const { proxy } = app.app

  assert.deepEqual(proxy.explain({ url: '/a/%2e%2e/b' }).refusal, { status: 400, error: 'http_request_error', reason: 'the request target is not one that can be forwarded' })
  assert.equal(proxy.explain({ url: '/x', headers: { 'transfer-encoding': 'gzip' } }).refusal!.status >= 400, true)
  const fallback = proxy.explain({ url: '/x', headers: { 'x-canary': '1' } })
  assert.deepEqual([fallback.variant, fallback.canaries[0]!.isAvailable, fallback.canaries[0]!.header], ['stable', false, '1'])
  assert.equal(proxy.snapshot!.routes.get('/*')!.canaries![0]!.fallbacks, 0)
  const thrown = proxy.explain({ url: '/throws' })
  assert.equal(thrown.refusal!.status, 500)
  assert.equal(thrown.request, null)
  assert.equal(thrown.response, null)
  assert.equal(thrown.problems.length, 2)
  assert.deepEqual(proxy.slowest(), [])
  assert.deepEqual(app.logs.filter(({ msg }) => msg === 'proxied'), [])
})

test('says what holds for a route, and what its answers become', async (t) => {
  const port = await refusedPort()
  const app = await start(t, {
    routes: [{ url: '/x', upstream: `http://127.0.0.1:${port}`, timeouts: { head: 1234 }, expose: true, headers: { response: { set: { 'x-frame-options': 'DENY' } } } }]
  })

  const { policies, response } = app.app.proxy.explain({ url: '/x', headers: { Accept: ['a/b', 'c/d'] } })

  assert.deepEqual(policies['timeouts'], { head: 1234, idle: 60_000, total: null, attempt: null, write: 60_000 })
  assert.deepEqual([policies['trace'], policies['encodedSlashes'], policies['slow']], ['participate', 'forward', 200])
  assert.deepEqual(policies['retry'], { attempts: 1, on: ['connect', 'stale'], budget: { share: 0.2, minimum: 3 }, backoff: { base: 25, max: 250 } })
  assert.equal((policies['limits'] as Record<string, unknown>)['active'], 1024)
  assert.doesNotThrow(() => JSON.stringify(policies))
  assert.equal(response!.headers['x-frame-options'], 'DENY')
  assert.equal(response!.headers['x-variant'], 'stable')
})

test('has nothing to say before the app is ready', async (t) => {
  let message = ''
  await start(t, { upstream: 'http://127.0.0.1:9' }, {
    after: (app) => {
      try {
        app.proxy.explain({ url: '/x' })
      } catch (error) {
        message = (error as Error).message
      }
    }
  })
  assert.match(message, /not ready/)
})

test('no url is too strange to be asked about', async (t) => {
  const app = await start(t, { upstream: 'http://127.0.0.1:9' })

  for (const url of ['', 'x', '*', '//', '/%zz', '/%', 'http://a/b', 'http://', '/a b', '/\u00e4', `/${'a'.repeat(100_000)}`, '/?', '/a?b=%zz&__proto__=1']) {
    const { refusal, request } = app.app.proxy.explain({ url })
    assert.ok(refusal === null || refusal.status < 500, `${url.slice(0, 20)}: ${JSON.stringify(refusal)}`)
    assert.ok(refusal !== null || request === null || request.path !== '', url.slice(0, 20))
  }
  assert.throws(() => app.app.proxy.explain({} as { url: string }), /has to be given a url/)
})
