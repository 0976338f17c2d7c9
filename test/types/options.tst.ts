import { PassThrough } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { BodyOptions, CanaryOptions, Endpoint, PoolOptions, ProxyOptions, ReplyProxyOptions, RouteOptions, UpstreamOptions } from 'fastify-sluice'
import { describe, expect, test } from 'tstyche'

declare function takeOptions (options: ProxyOptions): void
declare function takeRoute (options: RouteOptions): void
declare function takeUpstream (options: UpstreamOptions): void
declare function takePool (options: PoolOptions): void
declare function takeBody (body: BodyOptions): void
declare function takeCanary (options: CanaryOptions): void
declare function takeReply (options: ReplyProxyOptions): void

describe('a registration', () => {
  test('takes upstreams in all their forms, and routes', () => {
    expect(takeOptions).type.toBeCallableWith({
      upstreams: {
        one: 'http://10.0.0.1:3000',
        several: ['http://10.0.0.1:3000', 'http://10.0.0.2:3000'],
        full: { endpoints: ['http://10.0.0.1', { origin: 'https://10.0.0.2', weight: 2, host: 'shop.test' }], balancer: 'round-robin' }
      },
      routes: [{ url: '/orders/*', upstream: 'one' }],
      prefix: '/api',
      defaults: { timeouts: { head: 1000 }, expose: true }
    })
  })

  test('takes the one-line form, with what a route takes', () => {
    expect(takeOptions).type.toBeCallableWith({ upstream: 'http://10.0.0.1' })
    expect(takeOptions).type.toBeCallableWith({ upstream: { endpoints: ['http://10.0.0.1'] }, prefix: '/a', rewritePrefix: '/b', canary: { upstream: 'b' }, onRequest: async () => {} })
    expect(takeOptions).type.toBeCallableWith({})
  })

  test('refuses what is no option', () => {
    expect(takeOptions).type.not.toBeCallableWith({ upstreem: 'http://10.0.0.1' })
    expect(takeOptions).type.not.toBeCallableWith({ upstream: 3000 })
    expect(takeOptions).type.not.toBeCallableWith({ upstreams: { one: 3000 } })
    expect(takeOptions).type.not.toBeCallableWith({ routes: { url: '/', upstream: 'one' } })
    expect(takeOptions).type.not.toBeCallableWith({ upstream: 'http://a', url: '/a' })
    expect(takeOptions).type.not.toBeCallableWith({ upstream: 'http://a', handler: () => {} })
  })

  test('refuses in `defaults` what is not behaviour', () => {
    expect(takeOptions).type.not.toBeCallableWith({ defaults: { upstream: 'one' } })
    expect(takeOptions).type.not.toBeCallableWith({ defaults: { onRequest: async () => {} } })
  })
})

describe('functions', () => {
  test('are synchronous: an async one does not fit', () => {
    takeRoute({ url: '/', upstream: 'a', onProxyRequest: (head) => { head.headers['a'] = 'b' }, onProxyResponse: () => {} })
    takeRoute({ url: '/', upstream: 'a', credentials: { names: ['x-user'], of: (request) => ({ 'x-user': request.ip }) } })
    takeRoute({ url: '/', upstream: 'a', credentials: (request) => ({ 'x-user': request.ip, 'x-role': undefined }) })
    expect(takeRoute).type.not.toBeCallableWith({ url: '/', upstream: 'a', onProxyRequest: async () => {} })
    expect(takeRoute).type.not.toBeCallableWith({ url: '/', upstream: 'a', onProxyResponse: async () => {} })
    expect(takeRoute).type.not.toBeCallableWith({ url: '/', upstream: 'a', credentials: async () => ({ 'x-user': 'ann' }) })
    expect(takeRoute).type.not.toBeCallableWith({ url: '/', upstream: 'a', credentials: { names: ['x-user'], of: async () => ({}) } })
    expect(takeRoute).type.not.toBeCallableWith({ url: '/', upstream: 'a', rewrite: async () => '/' })
    expect(takeRoute).type.not.toBeCallableWith({ url: '/', upstream: 'a', trust: async () => true })
    expect(takeRoute).type.not.toBeCallableWith({ url: '/', upstream: 'a', headers: { request: { set: { a: async () => 'b' } } } })
    expect(takeRoute).type.not.toBeCallableWith({ url: '/', upstream: 'a', websocket: { allowedOrigins: async () => true } })
    expect(takeUpstream).type.not.toBeCallableWith({ endpoints: ['http://a'], health: { status: async () => true } })
    expect(takeUpstream).type.not.toBeCallableWith({ endpoints: ['http://a'], balancer: { pick: async (available: readonly Endpoint[]) => available[0]! } })
    expect(takeBody).type.not.toBeCallableWith({ rewrite: [['a', async () => 'b']] })
    expect(takeBody).type.not.toBeCallableWith({ rewrite: { stream: async () => new PassThrough() } })
  })
})

describe('bodies and cookies', () => {
  test('are rewritten by texts, functions, streams, or JSON', () => {
    takeBody({ requestLimit: 1, responseLimit: 1, rewriteLimit: 1, rewrite: false })
    takeBody({ rewrite: [['a', 'b'], ['c', (exchange) => exchange.variant]] })
    takeBody({ rewrite: (body, exchange, head) => `${body.length} ${exchange.variant} ${head.statusCode}` })
    takeBody({ rewrite: async (body) => body })
    takeBody({ rewrite: { whole: (body) => body, stream: () => new PassThrough(), types: ['text/*'] } })
    takeBody({ rewriteJson: (value, exchange) => ({ ...value, variant: exchange.variant }) })
  })

  test('are not rewritten by patterns, or to what is no body', () => {
    expect(takeBody).type.not.toBeCallableWith({ rewrite: [[/a/, 'b']] })
    expect(takeBody).type.not.toBeCallableWith({ rewrite: () => 5 })
    expect(takeBody).type.not.toBeCallableWith({ rewrite: { stream: () => 'a' } })
    expect(takeBody).type.not.toBeCallableWith({ limit: 5 })
  })

  test('have attributes', () => {
    expect(takeRoute).type.toBeCallableWith({ url: '/a', upstream: 'one', cookies: { domain: { a: 'b', c: false }, path: '/x', secure: true, sameSite: 'none' } })
    expect(takeRoute).type.not.toBeCallableWith({ url: '/a', upstream: 'one', cookies: { sameSite: 'some' } })
  })
})

describe('a route', () => {
  const least = { url: '/a', upstream: 'one' }

  test('needs its url and its upstream', () => {
    expect(takeRoute).type.toBeCallableWith(least)
    expect(takeRoute).type.not.toBeCallableWith({ url: '/a' })
    expect(takeRoute).type.not.toBeCallableWith({ upstream: 'one' })
  })

  test('takes what a Fastify route takes, but for a handler', () => {
    expect(takeRoute).type.toBeCallableWith({
      ...least,
      method: ['GET', 'POST'],
      schema: { params: { type: 'object' } },
      config: { scope: 'pay:card' },
      constraints: { host: 'shop.test' },
      logLevel: 'warn',
      bodyLimit: 1024,
      onRequest: async (request: FastifyRequest) => { request.log.info('') },
      preHandler: [async (_request: FastifyRequest, reply: FastifyReply) => { reply.header('x-a', '1') }]
    })
    expect(takeRoute).type.not.toBeCallableWith({ ...least, handler: async () => 'mine' })
    expect(takeRoute).type.not.toBeCallableWith({ ...least, bodyLimit: '1kb' })
    expect(takeRoute).type.not.toBeCallableWith({ ...least, onReqest: async () => {} })
  })

  test('takes the behaviour of the documentation', () => {
    expect(takeRoute).type.toBeCallableWith({
      ...least,
      rewrite: '/v2/*',
      host: 'original',
      canaries: [{ upstream: 'two', header: 'x-ab', values: ['v2'] }],
      headers: {
        request: { set: { 'x-a': '1', 'x-b': (request: FastifyRequest) => request.hostname }, append: { 'x-c': '2' }, remove: ['x-d'] },
        response: { set: { 'x-a': '1' }, when: 'failure' }
      },
      forwarded: 'both',
      via: false,
      timeouts: { head: 1, idle: 2, total: 3, attempt: 4, write: 5 },
      credentials: (request: FastifyRequest) => ({ 'x-user': String(request.id), 'x-none': undefined }),
      location: false,
      trace: false,
      trust: () => true,
      encodedSlashes: 'reject',
      expose: true
    })
    expect(takeRoute).type.toBeCallableWith({ ...least, rewrite: (request: FastifyRequest) => request.url, host: 'shop.test', trace: 'restart', via: 'edge' })
  })

  test('refuses values that its behaviour does not have', () => {
    expect(takeRoute).type.not.toBeCallableWith({ ...least, rewrite: 7 })
    expect(takeRoute).type.not.toBeCallableWith({ ...least, forwarded: true })
    expect(takeRoute).type.not.toBeCallableWith({ ...least, via: true })
    expect(takeRoute).type.not.toBeCallableWith({ ...least, timeouts: { headers: 1 } })
    expect(takeRoute).type.not.toBeCallableWith({ ...least, timeouts: { head: '1s' } })
    expect(takeRoute).type.not.toBeCallableWith({ ...least, headers: { response: { when: 'never' } } })
    expect(takeRoute).type.not.toBeCallableWith({ ...least, headers: { request: { when: 'always' } } })
    expect(takeRoute).type.not.toBeCallableWith({ ...least, headers: { request: { set: { 'x-a': 1 } } } })
    expect(takeRoute).type.not.toBeCallableWith({ ...least, trace: true })
    expect(takeRoute).type.not.toBeCallableWith({ ...least, encodedSlashes: 'decode' })
    expect(takeRoute).type.not.toBeCallableWith({ ...least, credentials: () => ({ 'x-user': 7 }) })
    expect(takeRoute).type.not.toBeCallableWith({ ...least, retry: { attempts: 'twice' } })
    expect(takeRoute).type.not.toBeCallableWith({ ...least, websocket: 'yes' })
    expect(takeRoute).type.not.toBeCallableWith({ ...least, websocket: { allowedOrigins: 'https://app.example' } })
  })
})

describe('an upstream', () => {
  test('needs endpoints', () => {
    expect(takeUpstream).type.not.toBeCallableWith({})
    expect(takeUpstream).type.not.toBeCallableWith({ endpoints: 'http://a' })
    expect(takeUpstream).type.not.toBeCallableWith({ endpoints: [{ url: 'http://a' }] })
    expect(takeUpstream).type.toBeCallableWith({ endpoints: ['http://a'], balancer: { name: 'hash' as const, key: { cookie: 'sid' } } })
    expect(takeUpstream).type.toBeCallableWith({ endpoints: ['http://a'], balancer: { pick: (available: readonly Endpoint[]) => available[0]! } })
    expect(takeUpstream).type.not.toBeCallableWith({ endpoints: ['http://a'], balancer: 'hash' })
  })

  test('has a pool with TLS', () => {
    expect(takePool).type.toBeCallableWith({ connections: 1, keepAliveTimeout: 2, connectTimeout: 3, tls: { ca: ['pem', Buffer.from('pem')], cert: 'pem', key: Buffer.from('pem'), servername: 'a', rejectUnauthorized: false } })
    expect(takePool).type.not.toBeCallableWith({ pipelining: 10 })
    expect(takePool).type.not.toBeCallableWith({ tls: { rejectUnauthorised: false } })
    expect(takePool).type.toBeCallableWith({ tls: { pfx: Buffer.from('p12'), passphrase: 'x', minVersion: 'TLSv1.3', ciphers: 'HIGH' } })
    expect(takePool).type.not.toBeCallableWith({ tls: { minVersion: 'TLSv1.1' } })
    expect(takePool).type.not.toBeCallableWith({ tls: { passphrase: 1 } })
  })

  test('has a way to its endpoints, and a bound on their heads', () => {
    expect(takePool).type.toBeCallableWith({ proxy: 'http://proxy:3128', maxHeaderSize: 65_536 })
    expect(takePool).type.not.toBeCallableWith({ proxy: new URL('http://proxy:3128') })
  })
})

describe('a canary', () => {
  test('needs an upstream, and is chosen by header, cookie, or weight', () => {
    expect(takeCanary).type.toBeCallableWith({ upstream: 'b', header: 'x-canary', values: /^beta/, cookie: 'beta', weight: 2.5, onEmpty: 'fail', fallback: true, name: 'beta' })
    expect(takeCanary).type.not.toBeCallableWith({ weight: 5 })
    expect(takeCanary).type.not.toBeCallableWith({ upstream: 'b', values: 'beta' })
    expect(takeCanary).type.not.toBeCallableWith({ upstream: 'b', onEmpty: 'stale' })
  })

  test('sticks to a header, a cookie, or what a function says', () => {
    expect(takeCanary).type.toBeCallableWith({ upstream: 'b', sticky: { header: 'x-user' } })
    expect(takeCanary).type.toBeCallableWith({ upstream: 'b', sticky: { cookie: 'user' } })
    expect(takeCanary).type.toBeCallableWith({ upstream: 'b', sticky: (request: FastifyRequest) => request.headers['x-user']?.toString() })
    expect(takeCanary).type.not.toBeCallableWith({ upstream: 'b', sticky: 'x-user' })
    expect(takeCanary).type.not.toBeCallableWith({ upstream: 'b', sticky: { query: 'user' } })
  })
})

describe('reply.proxy', () => {
  test('takes what is sent instead, and behaviour', () => {
    expect(takeReply).type.toBeCallableWith({ path: '/users/self', method: 'POST', headers: { 'x-a': '1' }, body: { a: 1 }, timeouts: { total: 10 } })
    expect(takeReply).type.toBeCallableWith({ headers: { request: { set: { 'x-a': '1' } }, response: { remove: ['x-b'] } }, body: null })
    expect(takeReply).type.toBeCallableWith({ bodyPolicy: { requestLimit: 1, responseLimit: 1, replay: 0, rewriteJson: (value: unknown) => value }, body: { a: 1 } })
    expect(takeReply).type.not.toBeCallableWith({ bodyPolicy: { responseLimit: 'x' } })
    expect(takeReply).type.not.toBeCallableWith({ url: '/users/self' })
    expect(takeReply).type.not.toBeCallableWith({ body: 7 })
    expect(takeReply).type.not.toBeCallableWith({ headers: { 'x-a': 1 } })
  })
})
