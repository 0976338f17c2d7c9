import assert from 'node:assert/strict'
import test from 'node:test'
import { answer, echo, origin, type Echo } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'

async function pathSeen (app: Started, path: string): Promise<string | number> {
  const { status, body } = await app.get(path)
  return status === 200 ? (JSON.parse(body) as Echo).url : status
}

// Template of a route, what is asked for and what the upstream sees; a number is the status of a refusal.
const rows: readonly (readonly [url: string, rewrite: string, sent: string, seen: string | number])[] = [
  ['/users/:id', '/v2/u/:id', '/users/7', '/v2/u/7'],
  ['/users/:id', '/v2/u/:id', '/users/7?full=1&x=%2F', '/v2/u/7?full=1&x=%2F'],
  ['/users/:id', '/fixed', '/users/7', '/fixed'],
  ['/users/:id', '/:id/:id', '/users/a', '/a/a'],
  ['/users/:id', '/u/:id', '/users/a%20b', '/u/a%20b'],
  ['/users/:id', '/u/:id', '/users/a%2Fb', '/u/a%2Fb'],
  ['/users/:id', '/u/:id', '/users/a%3Fb%23c', '/u/a%3Fb%23c'],
  ['/users/:id', '/u/:id', '/users/%2e%2e', 400],
  ['/users/:id', '/u/:id', '/users/..%2Fadmin', 400],
  ['/a/:x/b/:y', '/:y/:x', '/a/1/b/2', '/2/1'],
  ['/old/*', '/new/*', '/old/a/b?c', '/new/a/b?c'],
  ['/old/*', '/new/*', '/old/', '/new/'],
  ['/old/*', '/new/*', '/old', '/new/'],
  ['/old/*', '/*', '/old/a', '/a'],
  ['/old/*', '/new/*', '/old//a%2Fb/%C3%A4|{}', '/new//a%2Fb/%C3%A4|{}'],
  ['/old/*', '/fixed', '/old/a/b', '/fixed'],
  ['/t/:tenant/*', '/x/:tenant/*', '/t/acme/a/b', '/x/acme/a/b'],
  ['/*', '/base/*', '/a', '/base/a']
]

test('rewrites a path by a template of parameters and the raw rest', async (t) => {
  const upstream = await origin(t, echo())
  for (const [url, rewrite, sent, seen] of rows) {
    const app = await start(t, { routes: [{ url, upstream: upstream.url, rewrite }] })
    assert.equal(await pathSeen(app, sent), seen, `${sent} of ${url} by ${rewrite}`)
  }
})

test('puts the path of an endpoint in front of what a rewrite gives', async (t) => {
  const upstream = await origin(t, echo())
  const app = await start(t, { upstreams: { main: `${upstream.url}/base/` }, routes: [{ url: '/users/:id', upstream: 'main', rewrite: '/u/:id' }] })

  assert.equal(await pathSeen(app, '/users/7'), '/base/u/7')
})

test('rewrites a path by a function, which may bring a query of its own', async (t) => {
  const upstream = await origin(t, echo())
  const app = await start(t, {
    routes: [
      { url: '/path/*', upstream: upstream.url, rewrite: (request) => `/${request.method.toLowerCase()}` },
      { url: '/query/*', upstream: upstream.url, rewrite: () => '/new?own=1' }
    ]
  })

  assert.equal(await pathSeen(app, '/path/a?b=1'), '/get?b=1')
  assert.equal(await pathSeen(app, '/query/a?b=1'), '/new?own=1')
})

test('holds what a function gives to the path policy', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { routes: [{ url: '/*', upstream: upstream.url, rewrite: (request) => String(request.headers['x-path']) }] })

  for (const path of ['/a/../b', '/a/%2e%2e/b', '/a/..;x/b', '/a\\b', '/a b', '/a#b', 'a', '', 'http://other.example/', '/%zz', '/\xe9']) {
    assert.equal((await app.get('/x', { 'x-path': path })).status, 400, path)
  }
  assert.equal(upstream.connections, 0)
})

test('rewrites in the one-line form start below its prefix', async (t) => {
  const upstream = await origin(t, echo())
  const app = await start(t, { prefix: '/api', upstream: upstream.url, rewrite: '/v2/*' })

  assert.equal(await pathSeen(app, '/api/a/b'), '/v2/a/b')
  assert.equal(await pathSeen(app, '/api'), '/v2/')
})
