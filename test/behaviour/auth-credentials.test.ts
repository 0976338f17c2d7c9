import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import basicAuth from '@fastify/basic-auth'
import type { FastifyRequest, onRequestHookHandler } from 'fastify'
import type { RouteBehaviour } from '../../types/index.ts'
import { raw, values } from '../helpers/client.ts'
import { echo, origin, type Echo } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'
import { authenticate, bearer, claimsOf, setUpJwt } from './auth-schemes.ts'

const ann = { sub: 'ann', scope: 'pay:card' }

function claimsToHeaders (request: FastifyRequest): Record<string, string | undefined> {
  const { sub, scope } = claimsOf(request)
  return { 'X-User-Id': sub, 'x-scope': scope }
}

async function startMapped (t: TestContext, behaviour: RouteBehaviour = { credentials: claimsToHeaders }): Promise<Started> {
  const upstream = await origin(t, echo())
  return start(t, { upstream: upstream.url, onRequest: authenticate, ...behaviour }, { before: setUpJwt })
}

/** What the upstream sees of a request that has these lines beside a good token. */
async function sent (t: TestContext, app: Started, lines: string[], claims: Parameters<typeof bearer>[0] = ann): Promise<Echo> {
  const head = ['GET /x HTTP/1.1', 'Host: proxy.test', `Authorization: ${bearer(claims).authorization}`, ...lines]
  const response = await raw(t, app.port, `${head.join('\r\n')}\r\n\r\n`)
  assert.equal(response.status, 200, response.body.toString())
  return JSON.parse(response.body.toString()) as Echo
}

test('credentials puts what the app knows of the caller into headers', async (t) => {
  const { headers } = await sent(t, await startMapped(t), [])

  assert.equal(headers['x-user-id'], 'ann')
  assert.equal(headers['x-scope'], 'pay:card')
})

const forgeries: Record<string, string[]> = {
  'the same name': ['x-user-id: root'],
  'another case': ['X-USER-ID: root', 'x-SCOPE: everything'],
  'an underscore': ['x_user_id: root', 'X_Scope: everything'],
  'some underscores': ['x-user_id: root', 'x_user-id: root'],
  'several lines': ['x-user-id: root', 'X-User-Id: root', 'x_user_id: root'],
  'a nomination in Connection': ['Connection: x-user-id, X-Scope', 'x-user-id: root'],
  'a nomination without a value': ['Connection: close, x-user-id, x-scope'],
  'a nomination over two lines': ['Connection: x-user-id', 'connection: X-SCOPE, x_user_id', 'x_user_id: root']
}

for (const [what, lines] of Object.entries(forgeries)) {
  test(`a client cannot forge or cut off a credential: ${what}`, async (t) => {
    const { rawHeaders } = await sent(t, await startMapped(t), lines)

    assert.deepEqual(values(rawHeaders, 'x-user-id'), ['ann'])
    assert.deepEqual(values(rawHeaders, 'x-scope'), ['pay:card'])
    const alike = rawHeaders.filter((name, index) => index % 2 === 0 && /^x[-_](user[-_]id|scope)$/i.test(name))
    assert.equal(alike.length, 2, alike.join())
    assert.doesNotMatch(rawHeaders.join(), /root|everything/)
  })
}

test('a credential of this caller without a value is not filled in by what the client says', async (t) => {
  const { headers } = await sent(t, await startMapped(t), ['x-scope: everything', 'X_SCOPE: everything'], { sub: 'bob' })

  assert.equal(headers['x-user-id'], 'bob')
  assert.doesNotMatch(Object.entries(headers).join(), /scope|everything/)
})

test('a name that credentials gave once is dropped from later requests for which it gives none', async (t) => {
  const app = await startMapped(t, {
    credentials: (request) => {
      const { scope } = claimsOf(request)
      return scope === undefined ? {} : { 'x-scope': scope }
    }
  })

  await sent(t, app, [])
  const { headers } = await sent(t, app, ['x-scope: everything'], { sub: 'bob' })

  assert.equal(headers['x-scope'], undefined)
})

test('other headers stay as the client sent them, its token too', async (t) => {
  const { headers } = await sent(t, await startMapped(t), ['x-user: me', 'x-scopes: a', 'x_other: b'])

  assert.equal(headers['x-user'], 'me')
  assert.equal(headers['x-scopes'], 'a')
  assert.equal(headers['x_other'], 'b')
  assert.equal(headers.authorization, bearer(ann).authorization)
})

test('credentials may keep the token from the upstream', async (t) => {
  const app = await startMapped(t, { credentials: (request) => ({ authorization: undefined, 'x-user-id': claimsOf(request).sub }) })

  const { headers } = await sent(t, app, [])

  assert.equal(headers.authorization, undefined)
  assert.equal(headers['x-user-id'], 'ann')
})

test('credentials may put another token in the place of the client\'s', async (t) => {
  const app = await startMapped(t, { credentials: () => ({ Authorization: 'Bearer of-the-gateway' }) })

  const { rawHeaders } = await sent(t, app, ['Connection: authorization'])

  assert.deepEqual(values(rawHeaders, 'authorization'), ['Bearer of-the-gateway'])
})

test('the upstream sees the caller of each request, also on one connection', async (t) => {
  const app = await startMapped(t)

  const names = await Promise.all(['ann', 'bob', 'cy', 'dee'].map(async (sub) => {
    const { body } = await app.get('/x', bearer({ sub }))
    return (JSON.parse(body) as Echo).headers['x-user-id']
  }))

  assert.deepEqual(names, ['ann', 'bob', 'cy', 'dee'])
})

test('credentials that throw end the request before any upstream is asked', async (t) => {
  const upstream = await origin(t, echo())
  const app = await start(t, {
    upstream: upstream.url,
    credentials: () => { throw new Error('ann has no tenant') }
  })

  const response = await app.get('/x')

  assert.equal(response.status, 500)
  assert.doesNotMatch(response.body, /tenant/)
  assert.match((await app.line())['err'].stack, /ann has no tenant/)
  assert.equal(upstream.connections, 0)
})

test('reply.proxy takes credentials too', async (t) => {
  const upstream = await origin(t, echo())
  const options = { credentials: claimsToHeaders, headers: { 'x-user-id': 'of the code' } }
  const app = await start(t, { adHoc: { origins: () => true }, routes: [] }, {
    before: setUpJwt,
    after: (app) => { app.get('/x', { onRequest: authenticate }, (_request, reply) => reply.proxy(upstream.url, options)) }
  })

  const { rawHeaders } = await sent(t, app, ['x_user_id: root', 'x-scope: everything'])

  assert.deepEqual(values(rawHeaders, 'x-user-id'), ['ann'])
  assert.deepEqual(values(rawHeaders, 'x-scope'), ['pay:card'])
  assert.doesNotMatch(rawHeaders.join(), /root|everything/)
})

test('credentials for this proxy go no further', async (t) => {
  const upstream = await origin(t, echo())
  const app = await start(t, { adHoc: { origins: () => true }, routes: [] }, {
    before: (app) => { app.register(basicAuth, { proxyMode: true, authenticate: true, validate: async () => {} }) },
    after: (app) => { app.proxy.route({ url: '/*', upstream: upstream.url, onRequest: app.basicAuth as onRequestHookHandler }) }
  })

  const refused = await app.get('/x')
  const { status, body } = await app.get('/x', { 'Proxy-Authorization': `Basic ${Buffer.from('ann:secret').toString('base64')}` })

  assert.equal(refused.status, 407)
  assert.equal(status, 200)
  assert.doesNotMatch(body, /proxy-authorization|Basic/i)
  assert.equal(upstream.hits, 1)
})
