import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { RouteBehaviour } from '../../types/index.ts'
import { connect, raw } from '../helpers/client.ts'
import { answer, origin, type Origin } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'
import { authenticate, bearer, claimsOf, setUpJwt, upload } from './auth-schemes.ts'

/** Asks for the scope that the route's `config` names; nothing is asked where it names none. */
async function checkScope (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
  const { scope } = request.routeOptions.config as { scope?: string }
  if (scope === undefined || (claimsOf(request).scope ?? '').split(' ').includes(scope)) return undefined
  return reply.code(403).send({ error: 'insufficient_scope', scope })
}

/** `/v1/charges` asks for `pay:card`, the rest of the API for a token. */
async function startApi (t: TestContext, defaults: RouteBehaviour = {}): Promise<{ app: Started, upstream: Origin }> {
  const upstream = await origin(t, answer(200, 'served'))
  const behaviour = { upstream: 'api', onRequest: authenticate, preHandler: checkScope }
  const app = await start(t, {
    upstreams: { api: upstream.url },
    defaults,
    routes: [
      { url: '/v1/charges', ...behaviour, config: { scope: 'pay:card' } },
      { url: '/v1/charges/*', ...behaviour, config: { scope: 'pay:card' } },
      { url: '/*', ...behaviour }
    ]
  }, { before: setUpJwt })
  return { app, upstream }
}

const cases: { method: string, path: string, scope?: string | null, status: number }[] = [
  { method: 'POST', path: '/v1/charges', scope: 'pay:card', status: 200 },
  { method: 'POST', path: '/v1/charges', scope: 'read pay:card write', status: 200 },
  { method: 'GET', path: '/v1/charges/ch_1?expand=card', scope: 'pay:card', status: 200 },
  { method: 'POST', path: '/v1/charges', scope: 'read', status: 403 },
  { method: 'POST', path: '/v1/charges', scope: 'pay:cards', status: 403 },
  { method: 'POST', path: '/v1/charges', status: 403 },
  { method: 'GET', path: '/v1/charges', scope: 'read', status: 403 },
  { method: 'HEAD', path: '/v1/charges', scope: 'read', status: 403 },
  { method: 'OPTIONS', path: '/v1/charges', scope: 'read', status: 403 },
  { method: 'DELETE', path: '/v1/charges/ch_1', scope: 'read', status: 403 },
  { method: 'POST', path: '/v1/charges/', scope: 'read', status: 403 },
  { method: 'POST', path: '/v1/charges?scope=pay:card', scope: 'read', status: 403 },
  { method: 'POST', path: '/v1/charges', scope: null, status: 401 },
  { method: 'GET', path: '/v1/balance', scope: 'read', status: 200 },
  { method: 'GET', path: '/v1/balance', scope: null, status: 401 }
]

for (const { method, path, scope, status } of cases) {
  const who = scope === null ? 'no token' : `the scope ${JSON.stringify(scope ?? '')}`
  test(`${method} ${path} with ${who} is answered ${status}${status === 200 ? '' : ', and no upstream is asked'}`, async (t) => {
    const { app, upstream } = await startApi(t)

    const response = await app.request(path, { method, headers: scope === null ? {} : bearer({ sub: 'ann', ...(scope !== undefined && { scope }) }) })

    assert.equal(response.status, status)
    assert.equal(upstream.hits, status === 200 ? 1 : 0)
    assert.equal(upstream.connections, upstream.hits)
  })
}

test('an upload without the scope is refused before a byte of it has gone anywhere', async (t) => {
  const { app, upstream } = await startApi(t)
  const client = await connect(t, app.port)

  upload(client, '/v1/charges', bearer({ sub: 'ann', scope: 'read' }))
  const response = await client.response()

  assert.equal(response.status, 403)
  assert.deepEqual(JSON.parse(response.body.toString()), { error: 'insufficient_scope', scope: 'pay:card' })
  // Connections are accepted in the order they were opened: had there been another, it would be counted.
  assert.equal((await app.get('/v1/balance', bearer({ sub: 'ann' }))).status, 200)
  assert.deepEqual(upstream.requests.map(({ url }) => url), ['/v1/balance'])
  assert.equal(upstream.connections, 1)
})

// Spellings of /v1/charges that a router, a decoder or a careless upstream could take for it. The route of the rest must not carry
// them past the scope check of theirs.
const disguises = [
  '/v1/%63harges', '/%76%31/charges', '/v1/charges/%2e%2e/charges', '/v1/./charges', '/v1/x/../charges', '/v1/x/%2e%2e/charges',
  '/v1/x/..%2fcharges', '/v1/x/..;/charges', '/v1/..\\v1\\charges', '/v1\\charges', 'http://proxy.test/v1/charges', 'HTTP://other.test/v1/charges?x', '/v1/charges#x'
]

for (const target of disguises) {
  test(`without the scope, ${target} does not get to an upstream`, async (t) => {
    const { app, upstream } = await startApi(t)
    const { authorization } = bearer({ sub: 'ann', scope: 'read' })

    const response = await raw(t, app.port, `GET ${target} HTTP/1.1\r\nHost: proxy.test\r\nAuthorization: ${authorization}\r\n\r\n`)

    assert.ok(response.status === 400 || response.status === 403, String(response.status))
    assert.equal(upstream.connections, 0)
  })
}

for (const target of ['/v1/charges%2f', '/v1%2Fcharges', '/v1%5ccharges', '/v1/charges%00']) {
  test(`nor does ${target}, where encoded slashes are rejected`, async (t) => {
    const { app, upstream } = await startApi(t, { encodedSlashes: 'reject' })

    const response = await app.get(target, bearer({ sub: 'ann', scope: 'read' }))

    assert.equal(response.status, 400)
    assert.equal(upstream.connections, 0)
  })
}
