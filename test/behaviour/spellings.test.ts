import assert from 'node:assert/strict'
import test from 'node:test'
import type { RouteBehaviour } from '../../types/index.ts'
import { connect, raw } from '../helpers/client.ts'
import { answer, origin } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

/*
 * CGI, WSGI and PHP make one variable of `X-User-Id`, `X_User_Id` and `X.User-Id`. What is the gateway's to say can be said in none of them.
 */

const spellings = ['X_User-Id', 'x_user_id', 'X-User_Id', 'x.user.id', 'X~User-Id']

const owners: Record<string, RouteBehaviour> = {
  'credentials, by declared names': { credentials: { names: ['x-user-id'], of: () => ({}) } },
  'credentials, by their function': { credentials: () => ({ 'x-user-id': undefined }) },
  'headers.request.set': { headers: { request: { set: { 'X-User-Id': () => undefined } } } },
  'headers.request.remove': { headers: { request: { remove: ['x-user-id'] } } },
  forwardDeadline: { forwardDeadline: 'X-User-Id' }
}

for (const [owner, route] of Object.entries(owners)) {
  test(`a field of ${owner} cannot be said in another spelling, in the head or behind the body`, async (t) => {
    const upstream = await origin(t, answer(200))
    const app = await start(t, { upstream: upstream.url, ...route })
    const forged = spellings.map((name) => `${name}: root\r\n`).join('')

    await raw(t, app.port, `GET /x HTTP/1.1\r\nHost: x\r\n${forged}X-User: kept\r\n\r\n`)
    const client = await connect(t, app.port)
    client.write(`POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n${forged}X-User-Id: root\r\nX-Sum: kept\r\n\r\n`)
    await client.response()

    const [head, trailed] = upstream.requests
    const names = (fields: object): string[] => Object.keys(fields).filter((name) => /^x.user/.test(name))
    assert.deepEqual(names(head!.headers), ['x-user'])
    assert.deepEqual(names(trailed!.headers), [])
    assert.deepEqual(Object.keys(trailed!.trailers), ['x-sum'])
  })
}

test('its own spelling is as before: set where there is a value, kept where there is none', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url, headers: { request: { set: { 'x-user-id': (request) => request.headers['x-login'] as string | undefined } } } })

  await app.get('/x', { 'x-user-id': 'own', x_user_id: 'root' })
  await app.get('/x', { 'x-user-id': 'own', x_user_id: 'root', 'x-login': 'ann' })

  assert.deepEqual(upstream.requests.map(({ headers }) => [headers['x-user-id'], headers['x_user_id']]), [['own', undefined], ['ann', undefined]])
})

for (const forwarded of ['x-forwarded', 'forwarded', false] as const) {
  for (const trustProxy of [false, '127.0.0.1']) {
    test(`X-Forwarded-* cannot be said in another spelling, with forwarded: ${forwarded} and ${trustProxy === false ? 'no trusted peer' : 'a trusted peer'}`, async (t) => {
      const upstream = await origin(t, answer(200))
      const app = await start(t, { upstream: upstream.url, forwarded }, { fastify: { trustProxy } })
      const names = ['X_Forwarded_For', 'X-Forwarded_For', 'x.forwarded.host', 'X-Forwarded-Client_Cert', 'x_forwarded_anything']

      const client = await connect(t, app.port)
      client.write(`POST /x HTTP/1.1\r\nHost: x\r\n${names.map((name) => `${name}: 10.9.9.9\r\n`).join('')}` +
        `Transfer-Encoding: chunked\r\n\r\n0\r\n${names.map((name) => `${name}: 10.9.9.9\r\n`).join('')}X-Forwarded-For: 10.9.9.9\r\n\r\n`)
      await client.response()

      const { rawHeaders, trailers } = upstream.requests[0]!
      assert.ok(!rawHeaders.includes('10.9.9.9'), rawHeaders.join())
      assert.deepEqual(trailers, {})
    })
  }
}

test('headers that reply.proxy sets outrank the client in every spelling', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstreams: { users: upstream.url }, routes: [{ url: '/other', upstream: 'users' }] }, {
    after: (app) => { app.get('/x', async (_request, reply) => reply.proxy('users', { headers: { 'X-User-Id': 'ada' } })) }
  })

  await raw(t, app.port, `GET /x HTTP/1.1\r\nHost: x\r\n${spellings.map((name) => `${name}: root\r\n`).join('')}X-User-Id: root\r\n\r\n`)

  const { headers } = upstream.requests[0]!
  assert.deepEqual(Object.entries(headers).filter(([name]) => /^x.user/.test(name)), [['x-user-id', 'ada']])
})

test('a trailer that the head has said in another spelling is dropped', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)

  client.write('POST /x HTTP/1.1\r\nHost: x\r\nX-Role: reader\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX_Role: admin\r\nX-Sum: kept\r\n\r\n')
  await client.response()

  assert.deepEqual(upstream.requests[0]!.trailers, { 'x-sum': 'kept' })
})
