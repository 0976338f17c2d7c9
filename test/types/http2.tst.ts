import Fastify from 'fastify'
import proxy, { type Exchange } from 'fastify-sluice'
import { expect, test } from 'tstyche'

const plain = Fastify({ http2: true })
const secure = Fastify({ http2: true, https: { key: '', cert: '' } })
const https = Fastify({ https: { key: '', cert: '' } })

test('registers in apps of every protocol', () => {
  expect(plain.register).type.toBeCallableWith(proxy, { prefix: '/a', upstream: 'http://a' })
  expect(secure.register).type.toBeCallableWith(proxy, { prefix: '/a', upstream: 'http://a' })
  expect(https.register).type.toBeCallableWith(proxy, { prefix: '/a', upstream: 'http://a' })
  expect(secure.register).type.not.toBeCallableWith(proxy, { upstream: 7 })
  plain.register(proxy, { upstream: 'http://a', onRequest: async (request, reply) => { reply.code(401) } })
  secure.register(proxy, { routes: [{ url: '/a', upstream: 'a', preHandler: (request, reply, done) => { done() } }] })
})

test('the handler of metrics is one of their routes', () => {
  plain.get('/m', plain.proxy.metrics.handler)
  secure.get('/m', secure.proxy.metrics.handler)
  https.get('/m', https.proxy.metrics.handler)
  secure.get('/m', { onRequest: async () => {} }, secure.proxy.metrics.handler)
  secure.route({ method: 'GET', url: '/m', handler: secure.proxy.metrics.handler })
})

test('requests and replies have what they have elsewhere', () => {
  plain.get('/a', (request, reply) => {
    expect(request.proxy).type.toBe<Exchange | null>()
    return reply.proxy('a', { path: '/b', onProxyRequest: (head, exchange) => { exchange.request.log.info(head.path) } })
  })
  secure.addHook('onRequest', async (request) => { expect(request.proxy).type.toBe<Exchange | null>() })
  secure.proxy.route({ url: '/a', upstream: 'a' })
})
