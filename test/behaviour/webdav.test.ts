import assert from 'node:assert/strict'
import test from 'node:test'
import type { FastifyInstance } from 'fastify'
import { raw, request } from '../helpers/client.ts'
import { answer, origin, reset } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

function withMethods (app: FastifyInstance): void {
  for (const method of ['COPY', 'MOVE', 'LOCK']) app.addHttpMethod(method, { hasBody: true })
}

const before = { before: withMethods }

test('the Destination of COPY and MOVE names the same resource to the upstream', async (t) => {
  const upstream = await origin(t, answer(201, '', { location: '/dav/b.txt' }))
  const app = await start(t, {
    upstreams: { main: upstream.url },
    routes: [
      { url: '/files/*', upstream: 'main', rewrite: '/dav/*' },
      { url: '/off/*', upstream: 'main', rewrite: '/dav/*', location: false },
      { url: '/fn/*', upstream: 'main', rewrite: () => '/dav/x' }
    ]
  }, before)
  const move = async (path: string, destination: string): Promise<unknown> => {
    const response = await request(app.url + path, { method: 'MOVE', headers: { host: 'shop.test', destination } })
    assert.equal(response.status, 201)
    return upstream.requests.at(-1)!.headers['destination']
  }

  assert.equal(await move('/files/a.txt', 'http://shop.test/files/b.txt'), `${upstream.url}/dav/b.txt`)
  assert.equal(await move('/files/a.txt', '/files/b%20c.txt'), '/dav/b%20c.txt')
  assert.equal(await move('/files/a.txt', 'http://elsewhere.test/files/b.txt'), 'http://elsewhere.test/files/b.txt')
  for (const route of ['off', 'fn']) assert.equal(await move(`/${route}/a.txt`, `http://shop.test/${route}/b.txt`), `http://shop.test/${route}/b.txt`)
})

test('a Destination that leads out of its route is refused, and no upstream sees it', async (t) => {
  const upstream = await origin(t, answer(201))
  const app = await start(t, { prefix: '/files', upstream: `${upstream.url}/dav` }, before)

  for (const destination of ['/files/../secret', 'http://shop.test/files/%2e%2e/secret', '/files\\..\\x']) {
    const { status } = await raw(t, app.port, `MOVE /files/a HTTP/1.1\r\nHost: shop.test\r\nDestination: ${destination}\r\nContent-Length: 0\r\n\r\n`)
    assert.equal(status, 400, destination)
  }
  assert.equal(upstream.requests.length, 0)
})

test('a Destination does not write to what another route guards, by none of its readings', async (t) => {
  const upstream = await origin(t, answer(201))
  const guarded = { onRequest: (_request: unknown, reply: { code (status: number): { send (): unknown } }) => { reply.code(401).send() } } as object
  const app = await start(t, {
    upstreams: { main: upstream.url },
    routes: [
      { url: '/files/*', upstream: 'main', rewrite: '/dav/*' },
      { url: '/files/private/*', upstream: 'main', rewrite: '/dav/private/*', ...guarded },
      { url: '/files/uploads/*', method: 'PUT', upstream: 'main', rewrite: '/dav/uploads/*', ...guarded },
      { url: '/elsewhere/*', upstream: 'main', ...guarded },
      // Another route for its methods, not for its paths.
      { url: '/twice/*', method: ['MOVE'], upstream: 'main' },
      { url: '/twice/*', method: ['PUT'], upstream: 'main', ...guarded }
    ]
  }, before)
  const move = async (path: string, destination: string): Promise<number> => (await request(app.url + path, { method: 'MOVE', headers: { host: 'shop.test', destination } })).status

  for (const path of ['/files/private/b', '/files//private/b', '/files/private%2Fb', '/files/uploads/b', '/elsewhere/b']) {
    for (const destination of [path, `http://shop.test${path}`]) assert.equal(await move('/files/a', destination), 403, destination)
  }
  assert.equal(upstream.hits, 0)
  for (const destination of ['/files/b', '/nobody/b', 'http://elsewhere.test/files/private/b', '/files/privately/b']) assert.equal(await move('/files/a', destination), 201, destination)
  assert.equal(await move('/twice/a', '/twice/b'), 201)
})

test('each attempt names the resource by its own endpoint', async (t) => {
  const sick = await origin(t, reset())
  const well = await origin(t, answer(201))
  const app = await start(t, {
    upstreams: { main: { endpoints: [{ origin: `${sick.url}/one`, priority: 0 }, { origin: `${well.url}/two`, priority: 1 }], balancer: 'round-robin' } },
    routes: [{ url: '/files/*', upstream: 'main', rewrite: '/dav/*', retry: { on: ['reset'], methods: ['MOVE'] } }]
  }, before)

  const { status } = await request(`${app.url}/files/a`, { method: 'MOVE', headers: { host: 'shop.test', destination: 'http://shop.test/files/b', if: '<http://shop.test/files/a> (<urn:x>)' } })

  assert.equal(status, 201)
  assert.equal(sick.requests[0]!.headers['destination'], `${sick.url}/one/dav/b`)
  const { headers } = well.requests[0]!
  assert.deepEqual([headers['destination'], headers['if']], [`${well.url}/two/dav/b`, `<${well.url}/two/dav/a> (<urn:x>)`])
})

test('explain shows a Destination as the endpoint would get it', async (t) => {
  const app = await start(t, { prefix: '/files', upstream: 'http://10.0.0.1:3000/dav' }, before)

  const { request: head } = app.app.proxy.explain({ method: 'COPY', url: '/files/a', headers: { host: 'shop.test', destination: 'http://shop.test/files/b' } })

  assert.equal(head!.headers['destination'], 'http://10.0.0.1:3000/dav/b')
})
