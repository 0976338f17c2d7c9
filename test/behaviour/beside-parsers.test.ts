import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import type { ReplyProxyOptions } from '../../types/index.ts'
import { echo, origin, type Echo } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

/** As @fastify/formbody and @fastify/multipart do: a type that is not JSON, and an object made of it. */
function parseForms (app: FastifyInstance): void {
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) => {
    done(null, Object.fromEntries(new URLSearchParams(String(body))))
  })
}

const form = { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'user=ann&n=1' }

async function seenOf (t: TestContext, options: ReplyProxyOptions | undefined, init: Parameters<Awaited<ReturnType<typeof start>>['request']>[1]): Promise<Echo> {
  const upstream = await origin(t, echo())
  const app = await start(t, { adHoc: { origins: () => true }, routes: [] }, {
    before: parseForms,
    after: (app) => {
      app.all('/x', { preHandler: async (request) => { request.body ??= { set: 'by a hook' } } }, (_request, reply) => reply.proxy(upstream.url, options))
    }
  })
  const response = await app.request('/x', init)
  assert.equal(response.status, 200, response.body)
  return JSON.parse(response.body) as Echo
}

test('reply.proxy sends a body of its own in the place of one that a parser of the app has made an object', async (t) => {
  const { body, headers } = await seenOf(t, { body: 'of the code' }, form)

  assert.deepEqual([body, headers['content-length']], ['of the code', '11'])
})

test('reply.proxy sends no body where it is told so, whatever a parser has made of the client\'s', async (t) => {
  const { bodyLength, headers } = await seenOf(t, { body: null }, form)

  assert.deepEqual([bodyLength, headers['content-type']], [0, undefined])
})

test('reply.proxy is not stopped by a body that a hook has given to a GET', async (t) => {
  const { method, bodyLength } = await seenOf(t, { body: null }, {})

  assert.deepEqual([method, bodyLength], ['GET', 0])
})

test('a proxied route has no use for the parsers of the app: a form goes through as it came', async (t) => {
  const upstream = await origin(t, echo())
  const app = await start(t, { upstream: upstream.url }, { before: parseForms })

  const { body, headers } = JSON.parse((await app.request('/x', form)).body) as Echo

  assert.deepEqual([body, headers['content-type']], [form.body, 'application/x-www-form-urlencoded'])
})
