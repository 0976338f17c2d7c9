import Fastify, { type FastifyInstance, type FastifyPluginAsync, type FastifyReply, type FastifyRequest } from 'fastify'
import proxy, {
  ConfigError, proxy as named, ProxyError,
  type Attempt, type Endpoint, type Exchange, type Problem, type ProxyControl, type ProxyErrorLike, type ProxyOptions, type RequestHead, type ResponseHead, type RouteOptions, type Snapshot, type Upstream
} from 'fastify-sluice'
import { describe, expect, test } from 'tstyche'

const app = Fastify()

describe('the module', () => {
  test('is the plugin, by name too', () => {
    expect(proxy).type.toBe<FastifyPluginAsync<ProxyOptions>>()
    expect(named).type.toBe<FastifyPluginAsync<ProxyOptions>>()
  })

  test('can be registered with its options, and with nobody else\'s', () => {
    expect(app.register).type.toBeCallableWith(proxy, { upstream: 'http://a', prefix: '/a' })
    expect(app.register).type.toBeCallableWith(proxy, { routes: [{ url: '/a', upstream: 'http://a' }] })
    expect(app.register).type.not.toBeCallableWith(proxy, { upstreams: [] })
    expect(app.register).type.not.toBeCallableWith(proxy, { rotes: [] })
  })

  test('can be registered where the app has a logger, TLS, or a type of its own', () => {
    expect(Fastify({ logger: true }).register).type.toBeCallableWith(proxy, { upstream: 'http://a' })
    expect(Fastify({ https: {} }).register).type.toBeCallableWith(proxy, { upstream: 'http://a' })
  })

  test('names its errors', () => {
    expect<InstanceType<typeof ProxyError>>().type.toBeAssignableTo<ProxyErrorLike & Error>()
    expect<InstanceType<typeof ConfigError>['problems']>().type.toBe<readonly Problem[]>()
    expect<ConfigError>().type.toBeAssignableTo<Error>()
  })
})

describe('the decorators', () => {
  test('app.proxy is the control', () => {
    expect(app.proxy).type.toBe<ProxyControl>()
    expect<FastifyInstance['proxy']>().type.toBe<ProxyControl>()
    expect(app.proxy.snapshot).type.toBe<Snapshot | null>()
    expect(app.proxy.upstream('a')).type.toBe<Upstream | undefined>()
    expect(app.proxy.route).type.toBeCallableWith({ url: '/a', upstream: 'a' })
    expect(app.proxy.route).type.not.toBeCallableWith({ url: '/a' })
    expect(app.proxy.setCanary).type.toBeCallableWith('/a', 'beta', { weight: 5 })
    expect(app.proxy.setCanary).type.not.toBeCallableWith('/a', 'beta', 5)
  })

  test('request.proxy is the exchange, or null', () => {
    expect<FastifyRequest['proxy']>().type.toBe<Exchange | null>()
  })

  test('reply.proxy sends, and is returned', () => {
    expect<ReturnType<FastifyReply['proxy']>>().type.toBe<FastifyReply>()
    expect(app.get).type.toBeCallableWith('/a', async (_request: FastifyRequest, reply: FastifyReply) => reply.proxy('a', { path: '/b' }))
    expect(app.get).type.toBeCallableWith('/a', (_request: FastifyRequest, reply: FastifyReply) => { reply.proxy('http://a') })
  })
})

describe('what the functions of a route are given', () => {
  type Behaviour = Required<RouteOptions>

  test('onProxyRequest may change the head, and sees the exchange', () => {
    expect<Parameters<Behaviour['onProxyRequest']>>().type.toBe<[head: RequestHead, exchange: Exchange]>()
    expect<RequestHead>().type.toBe<{ method: string, path: string, headers: Record<string, string | string[]> }>()
  })

  test('onProxyResponse may change the head, and sees the exchange', () => {
    expect<Parameters<Behaviour['onProxyResponse']>>().type.toBe<[head: ResponseHead, exchange: Exchange]>()
    expect<ResponseHead>().type.toBe<{ statusCode: number, headers: Record<string, string | string[]> }>()
  })

  test('nobody but us writes the exchange', () => {
    expect<Exchange>().type.toBeAssignableTo<{ readonly variant: string, readonly attempts: number, readonly last: Attempt | null, readonly endpoint: Endpoint | null }>()
    expect<Exchange['variant']>().type.toBe<string>()
    expect<Exchange['error']>().type.toBe<ProxyErrorLike | null>()
    expect<Exchange['traceId']>().type.toBe<string | null>()
    expect<Pick<Exchange, 'variant' | 'upstreamPath' | 'isAborted'>>().type.toBe<{ readonly variant: string, readonly upstreamPath: string, readonly isAborted: boolean }>()
  })
})
