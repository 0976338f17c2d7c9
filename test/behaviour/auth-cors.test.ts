import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import cors from '@fastify/cors'
import type { FastifyInstance } from 'fastify'
import type { ProxyOptions } from '../../types/index.ts'
import { answer, echo, origin, type Echo, type Origin } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'
import { authenticate, bearer, setUpJwt } from './auth-schemes.ts'

const page = 'https://shop.test'
const preflight = { method: 'OPTIONS', headers: { origin: page, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' } }

/** Root-mounted, its routes the whole app, behind @fastify/cors and then auth. */
async function startBehindCors (t: TestContext, upstream: Origin, options: ProxyOptions = {}, corsOptions: object = {}): Promise<Started> {
  return start(t, { upstream: upstream.url, ...options }, {
    before: async (app: FastifyInstance) => {
      await app.register(cors, { origin: [page], ...corsOptions })
      await setUpJwt(app)
      app.addHook('onRequest', authenticate)
    }
  })
}

test('a preflight is answered by @fastify/cors, before auth and without the upstream', async (t) => {
  const upstream = await origin(t, echo())
  const app = await startBehindCors(t, upstream)

  const response = await app.request('/v1/charges', preflight)

  assert.equal(response.status, 204)
  assert.equal(response.headers['access-control-allow-origin'], page)
  assert.match(response.headers['access-control-allow-methods'] as string, /POST/)
  assert.equal(response.headers['access-control-allow-headers'], 'authorization')
  assert.equal(upstream.connections, 0)
})

for (const [where, options] of Object.entries({ root: {}, prefix: { prefix: '/api' }, parameter: { prefix: '/:tenant' } })) {
  test(`an app with @fastify/cors and a proxy mounted at its ${where} starts, and answers preflights there`, async (t) => {
    const upstream = await origin(t, echo())
    const app = await startBehindCors(t, upstream, options)

    const [onMount, below] = [await app.request('/api', preflight), await app.request('/api/x', preflight)]

    assert.deepEqual([onMount.status, below.status, upstream.connections], [204, 204, 0])
    assert.equal(below.headers['access-control-allow-origin'], page)
  })
}

test('the answer to the real request says that the page may read it, a refusal too', async (t) => {
  const upstream = await origin(t, answer(200, 'charged', { vary: 'accept', 'content-type': 'text/plain' }))
  const app = await startBehindCors(t, upstream)

  const allowed = await app.request('/v1/charges', { method: 'POST', headers: { origin: page, ...bearer({ sub: 'ann' }) } })
  const refused = await app.request('/v1/charges', { method: 'POST', headers: { origin: page } })

  assert.equal(allowed.body, 'charged')
  assert.equal(allowed.headers['access-control-allow-origin'], page)
  assert.deepEqual(allowed.headers.vary?.toLowerCase().split(/, */).sort(), ['accept', 'origin'])
  assert.equal(refused.status, 401)
  assert.equal(refused.headers['access-control-allow-origin'], page)
  assert.equal(upstream.hits, 1)
})

test('an OPTIONS that is no preflight is answered by @fastify/cors at the root, and forwarded below a prefix', async (t) => {
  const upstream = await origin(t, echo())
  const token = bearer({ sub: 'ann' })
  const [atRoot, below] = await Promise.all([
    startBehindCors(t, upstream, {}, { strictPreflight: false }),
    startBehindCors(t, upstream, { prefix: '/api' }, { preflight: false })
  ])

  const answered = await atRoot.request('/x', { method: 'OPTIONS', headers: token })
  const forwarded = await below.request('/api/x', { method: 'OPTIONS', headers: token })

  assert.equal(answered.status, 204)
  assert.equal((JSON.parse(forwarded.body) as Echo).method, 'OPTIONS')
  assert.equal(upstream.hits, 1)
})
