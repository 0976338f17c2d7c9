import assert from 'node:assert/strict'
import test from 'node:test'
import { raw } from '../helpers/client.ts'
import { answer, origin } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

test('maps what the app knows of the caller to headers, and no client can forge them', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, {
    upstream: upstream.url,
    credentials: (request) => ({ 'X-User': request.headers['x-login'] as string | undefined, 'x-role': 'reader', authorization: undefined })
  })
  const forged = 'X-USER: root\r\nx_user: root\r\nX-Role: root\r\nX_ROLE: root\r\nAuthorization: Bearer abc\r\nX-Other: kept\r\nx_other: kept\r\n'

  await raw(t, app.port, `GET /x HTTP/1.1\r\nHost: x\r\nX-Login: ann\r\n${forged}\r\n`)
  await raw(t, app.port, `GET /x HTTP/1.1\r\nHost: x\r\n${forged}\r\n`)
  await raw(t, app.port, `GET /x HTTP/1.1\r\nHost: x\r\nX-Login: ann\r\nConnection: x-user, x-role\r\n${forged}\r\n`)

  const seen = upstream.requests.map(({ headers }) => ['x-user', 'x_user', 'x-role', 'x_role', 'authorization', 'x-other', 'x_other'].map((name) => headers[name]))
  assert.deepEqual(seen, [
    ['ann', undefined, 'reader', undefined, undefined, 'kept', 'kept'],
    [undefined, undefined, 'reader', undefined, undefined, 'kept', 'kept'],
    ['ann', undefined, 'reader', undefined, undefined, 'kept', 'kept']
  ])
})

test('a name that the function gives only now and then is dropped from then on', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, {
    upstream: upstream.url,
    credentials: (request): Record<string, string> => request.headers['x-login'] === undefined ? {} : { 'x-user': 'ann' }
  })

  await app.get('/x', { 'x-login': '1' })
  await app.get('/x', { 'x-user': 'root' })

  assert.deepEqual(upstream.requests.map(({ headers }) => headers['x-user']), ['ann', undefined])
})

test('credentials see what the hooks before them have found out', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, {
    upstream: upstream.url,
    preHandler: async (request) => { (request as { user?: string }).user = 'ann' },
    credentials: (request) => ({ 'x-user': (request as { user?: string }).user })
  })

  await app.get('/x')

  assert.equal(upstream.requests[0]!.headers['x-user'], 'ann')
})
