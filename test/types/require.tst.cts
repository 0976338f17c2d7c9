import Fastify = require('fastify')
import proxy = require('fastify-sluice')
import type { GatheredMetrics, Problem, ProxyOptions, RouteOptions } from 'fastify-sluice'
import { expect, test } from 'tstyche'

const app = Fastify.fastify()

test('require gives the plugin', () => {
  expect(proxy).type.toBeAssignableTo<import('fastify').FastifyPluginAsync<ProxyOptions>>()
  expect(app.register).type.toBeCallableWith(proxy, { prefix: '/a', upstream: 'http://a' })
  expect(app.register).type.not.toBeCallableWith(proxy, { upstream: 7 })
})

test('what is imported by name is on the function', () => {
  const { ConfigError, default: alone, gatherMetrics, ProxyError, proxy: named } = proxy
  expect(new ConfigError([]).problems).type.toBe<readonly Problem[]>()
  expect(new ProxyError().statusCode).type.toBe<number>()
  expect(gatherMetrics()).type.toBe<GatheredMetrics>()
  expect(app.register).type.toBeCallableWith(named, { upstream: 'http://a' })
  expect(app.register).type.toBeCallableWith(alone, { upstream: 'http://a' })
})

test('a CommonJS module sees the decorators and the types', () => {
  expect(app.proxy.route).type.toBeCallableWith({ url: '/a', upstream: 'a' })
  expect<RouteOptions['url']>().type.toBe<string>()
})
