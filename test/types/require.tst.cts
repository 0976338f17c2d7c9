import Fastify = require('fastify')
import proxy = require('fastify-sluice')
import type { ProxyOptions, RouteOptions } from 'fastify-sluice'
import { expect, test } from 'tstyche'

const app = Fastify.fastify()

test('require gives the plugin', () => {
  expect(proxy).type.toBe<import('fastify').FastifyPluginAsync<ProxyOptions>>()
  expect(app.register).type.toBeCallableWith(proxy, { prefix: '/a', upstream: 'http://a' })
  expect(app.register).type.not.toBeCallableWith(proxy, { upstream: 7 })
})

test('a CommonJS module sees the decorators and the types', () => {
  expect(app.proxy.route).type.toBeCallableWith({ url: '/a', upstream: 'a' })
  expect<RouteOptions['url']>().type.toBe<string>()
})
