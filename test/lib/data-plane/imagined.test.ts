import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FastifyBaseLogger } from 'fastify'
import { imagineRaw, imagineReply, imagineRequest } from '../../../lib/data-plane/imagined.ts'

test('a request that nobody made looks like one of Node\'s', () => {
  const raw = imagineRaw({ method: 'post', url: '/a?b=c', headers: { 'X-A': '1', accept: ['a/b', 'c/d'] }, ip: '192.0.2.1' })
  assert.deepEqual([raw.method, raw.url, raw.httpVersion, raw.httpVersionMajor, raw.httpVersionMinor, raw.socket.remoteAddress], ['POST', '/a?b=c', '1.1', 1, 1, '192.0.2.1'])
  assert.deepEqual(raw.headers, { host: 'localhost', 'x-a': '1', accept: 'a/b, c/d' })
  assert.deepEqual(raw.rawHeaders, ['Host', 'localhost', 'X-A', '1', 'accept', 'a/b', 'accept', 'c/d'])
})

test('without more it is a GET from this machine; a Host of its own stands alone', () => {
  const raw = imagineRaw({ url: '/', headers: { HOST: 'shop.test' } })
  assert.deepEqual([raw.method, raw.socket.remoteAddress, raw.headers], ['GET', '127.0.0.1', { host: 'shop.test' }])
})

test('Fastify\'s view of it has what functions look at, and what hooks would have added', () => {
  const raw = imagineRaw({ url: '/a?b=c', headers: { host: 'shop.test:8080' } })
  const request = imagineRequest(raw, { route: { url: '/:id' }, params: { id: 'a' }, query: { b: 'c' } }, {} as FastifyBaseLogger, { user: 'ann' }) as unknown as Record<string, unknown>
  assert.deepEqual([request['ip'], request['host'], request['hostname'], request['params'], request['query'], request['user']], ['127.0.0.1', 'shop.test:8080', 'shop.test', { id: 'a' }, { b: 'c' }, 'ann'])
})

test('nothing is set on its reply, nor can be', () => {
  const request = imagineRequest(imagineRaw({ url: '/' }), { route: { url: '/' }, params: {}, query: {} }, {} as FastifyBaseLogger, {})
  const reply = imagineReply(request)
  assert.equal(reply.header('a', 'b').code(500).removeHeader('a'), reply)
  assert.deepEqual([reply.hasHeader('a'), reply.getHeader('a'), reply.getHeaders(), reply.statusCode], [false, undefined, {}, 200])
})
