import assert from 'node:assert/strict'
import test from 'node:test'
import { raw } from '../helpers/client.ts'
import { answer, origin, type Origin } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'

/* Advisories about where a request goes, by what is in its target. Over raw sockets: URL classes repair what they are given. */

const get = async (t: test.TestContext, app: Started, path: string, lines = ''): Promise<number> =>
  (await raw(t, app.port, `GET ${path} HTTP/1.1\r\nHost: proxy.test\r\n${lines}\r\n`)).status

const urls = (upstream: Origin): string[] => upstream.requests.map(({ url }) => url)

test('CVE-2021-21321 (reply-from 4.0.2), GHSA-2q7r-29rg-6m5h (12.5.0): no target leaves the base path of an upstream', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { prefix: '/api', rewritePrefix: '/v1', upstream: upstream.url })

  for (const path of ['/api/../secret', '/api/%2e%2e/secret', '/api/%2E%2E/%2E%2E/secret', '/api/..%2f..%2fsecret', '/api/.%2e/secret', '/api/..', '/api/%2e%2e%5csecret']) {
    assert.ok([400, 404].includes(await get(t, app, path)), path)
  }
  assert.equal(await get(t, app, '/api/x'), 200)
  assert.deepEqual(urls(upstream), ['/v1/x'])
})

test('CVE-2021-21322 (http-proxy 4.3.1): no target of one prefix arrives outside of what replaces it', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { prefix: '/pub', rewritePrefix: '/public', upstream: upstream.url })

  for (const path of ['/pub/../private', '/pub//../private', '/pub/x/../../private', '/pub/%2e%2e/private', '/public', '/pubx']) assert.ok([400, 404].includes(await get(t, app, path)), path)
  assert.deepEqual(urls(upstream), [])
})

test('fast-proxy#42: a target that begins with two slashes, or names another host, asks no other host', async (t) => {
  const evil = await origin(t, answer(200, 'evil'))
  const upstream = await origin(t, answer(200, 'own'))
  const app = await start(t, { upstream: upstream.url })
  const host = `127.0.0.1:${evil.port}`

  for (const path of [`//${host}/x`, `///${host}/x`, `http://${host}/x`, `/http://${host}/x`, `//user@${host}/x`, `/@${host}/x`]) await get(t, app, path)
  assert.equal(evil.hits, 0)
  assert.deepEqual(urls(upstream), [`//${host}/x`, `///${host}/x`, '/x', `/http://${host}/x`, `//user@${host}/x`, `/@${host}/x`])
})

test('CVE-2026-85124 (http-proxy 11.6.2): a backslash is no slash, and is not forwarded', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { prefix: '/api', upstream: upstream.url })

  for (const path of ['/api/..\\admin', '/api/a\\..\\..\\admin', '/api\\..\\admin', '/api/..%5cadmin', '/api/\\x']) assert.ok([400, 404].includes(await get(t, app, path)), path)
  assert.equal(upstream.hits, 0)
})

test('CVE-2026-120213 (http-proxy 11.6.6): a parameter brings no slash, query or fragment into a rewritten path', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { routes: [{ url: '/users/:id/posts', upstream: upstream.url, rewrite: '/v2/:id/posts' }] })

  for (const id of ['a%2fb', 'a%3fadmin=1', 'a%23', 'a%2f..%2fb', '%2e%2e', 'a%252f', 'a%26b']) await get(t, app, `/users/${id}/posts`)
  assert.deepEqual(urls(upstream), ['/v2/a%2Fb/posts', '/v2/a%3Fadmin%3D1/posts', '/v2/a%23/posts', '/v2/a%252f/posts', '/v2/a%26b/posts'])
})

test('CVE-2026-127060 (http-proxy 11.6.10): what Tomcat and Jetty read as a dot segment is one', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { prefix: '/api', upstream: upstream.url })

  for (const path of ['/api/..;/admin', '/api/..;a=b/admin', '/api/.;/../admin', '/api/%2e%2e;/admin', '/api/..%3b/admin', '/api/x/..;/..;/admin']) assert.equal(await get(t, app, path), 400, path)
  assert.equal(upstream.hits, 0)
})

test('CVE-2026-22031, -22037, -2880, -33807, -33808, -6556, -112362 (middie, @fastify/express), CVE-2026-15074 (static): no spelling of a path goes around the hooks of its route', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, {
    routes: [
      { url: '/admin/*', upstream: upstream.url, onRequest: async (request, reply) => { if (request.headers.authorization === undefined) await reply.code(401).send() } },
      { url: '/*', upstream: upstream.url }
    ]
  })

  for (const path of ['/admin/x', '/%61dmin/x', '/admin/%78', '/admin//x', '/admin;a/x', 'http://evil/admin/x', 'http://evil/%61dmin/x', '/x/../admin/x', '/admin/../admin/x', '/./admin/x', '/%E4/../admin/x', '/%61dmin/%E4']) {
    await get(t, app, path)
  }
  // To the upstream these are other paths than '/admin/…', byte for byte: the route for all the rest forwards them as they are.
  assert.deepEqual(urls(upstream).filter((url) => /^\/+admin\//i.test(decodeURIComponent(url.replace(/%[89a-f][0-9a-f]/gi, 'x')))), [])
})

test('GHSA-q3j6-qgpj-74h6 (fast-uri): paths are compared and forwarded raw, so that no two normalisers can disagree', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { prefix: '/a', rewritePrefix: '/a', upstream: upstream.url })
  const paths = ['/a/%41', '/a/%7e', '/a//b', '/a/b%2Fc', '/a/%e2%82%ac', '/a/:80', '/a/b?c=%41']

  for (const path of paths) assert.equal(await get(t, app, path), 200, path)
  assert.deepEqual(urls(upstream), paths)
})

test('CVE-2026-55602 (http-proxy-middleware 4.1.0): a host constraint is the whole host, and no part of a path', async (t) => {
  const internal = await origin(t, answer(200, 'internal'))
  const outer = await origin(t, answer(200, 'outer'))
  const app = await start(t, { routes: [{ url: '/*', upstream: internal.url, constraints: { host: 'internal.example' } }, { url: '/*', upstream: outer.url }] })

  for (const [host, path] of [['xinternal.example', '/x'], ['internal.example.evil', '/x'], ['evil', '/internal.example'], ['evil', '//internal.example/x'], ['evil', '/x?host=internal.example']] as const) {
    assert.equal((await raw(t, app.port, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).body.toString(), 'outer', `${host}${path}`)
  }
  assert.equal((await raw(t, app.port, 'GET /x HTTP/1.1\r\nHost: internal.example\r\n\r\n')).body.toString(), 'internal')
})
