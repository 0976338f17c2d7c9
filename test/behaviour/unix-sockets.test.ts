import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmod, rename, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { getuid } from 'node:process'
import { test, type TestContext } from 'node:test'
import type { ProxyOptions } from '../../types/index.ts'
import { http2Origin, reflect, reply } from '../helpers/http2.ts'
import { answer, drip, echo, origin, type Echo, type Origin, type Step } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'
import { type Door, socketFolder, unixDoor } from '../helpers/unix.ts'
import { eventually } from '../helpers/until.ts'
import { webSocket, webSocketOrigin } from '../helpers/websocket.ts'

interface Reached { upstream: Origin, door: Door }

/** An HTTP/1.1 upstream, by its Unix socket. */
async function reached (t: TestContext, ...steps: Step[]): Promise<Reached> {
  const upstream = await origin(t, ...steps)
  return { upstream, door: await unixDoor(t, join(await socketFolder(t), 'app.sock'), upstream.port) }
}

const forms: readonly (readonly [what: string, options: (url: string) => ProxyOptions, path?: string])[] = [
  ['the one-line form', (url) => ({ upstream: url })],
  ['the one-line form with a prefix', (url) => ({ upstream: url, prefix: '/api' }), '/api/x?y=1'],
  ['the one-line form with endpoints', (url) => ({ upstream: { endpoints: [url] } })],
  ['a string among the upstreams', (url) => ({ upstreams: { a: url }, routes: [{ url: '/*', upstream: 'a' }] })],
  ['a list', (url) => ({ upstreams: { a: [url] }, routes: [{ url: '/*', upstream: 'a' }] })],
  ['endpoints', (url) => ({ upstreams: { a: { endpoints: [url] } }, routes: [{ url: '/*', upstream: 'a' }] })],
  ['endpoints[].origin', (url) => ({ upstreams: { a: { endpoints: [{ origin: url }] } }, routes: [{ url: '/*', upstream: 'a' }] })],
  ['a route', (url) => ({ routes: [{ url: '/*', upstream: url }] })],
  ['a canary', (url) => ({ upstreams: { a: 'http://127.0.0.1:1' }, routes: [{ url: '/*', upstream: 'a', canary: { upstream: url, weight: 100 } }] })]
]

for (const [what, options, path = '/x?y=1'] of forms) {
  test(`a Unix socket may stand in ${what}`, async (t) => {
    const { door, upstream } = await reached(t, echo())
    const proxy = await start(t, options(door.url))

    const response = await proxy.get(path)

    assert.equal(response.status, 200)
    const { url, headers } = JSON.parse(response.body) as Echo
    assert.deepEqual([url, headers.host], ['/x?y=1', 'localhost'])
    assert.equal(upstream.hits, 1)
    const line = await proxy.line()
    assert.equal(line['endpoint'], door.url)
  })
}

for (const name of ['a:b.sock', 'my app.sock', 'caf\u00e9 \u2713.sock', 'a%20b%zz.sock', 'a"b\\c\'d.sock', '&=;,@!.sock']) {
  test(`a socket whose file is named ${name} is reached, and told of as it is`, async (t) => {
    const upstream = await origin(t, answer(200, 'ok'))
    const door = await unixDoor(t, join(await socketFolder(t), name), upstream.port)
    const proxy = await start(t, { upstream: { endpoints: [door.url] } })

    assert.equal((await proxy.get('/')).body, 'ok')

    assert.equal((await proxy.line())['endpoint'], door.url)
    const { endpoints } = proxy.app.proxy.stats().upstreams[door.url]!
    assert.equal(endpoints[0]!.origin, door.url)
    const label = door.url.replaceAll('\\', '\\\\').replaceAll('"', '\\"')
    assert.ok((await proxy.app.proxy.metrics.prometheus()).includes(`endpoint="${label}"`))
  })
}

test('bodies of every size pass both ways, and streams as they come', async (t) => {
  const { door } = await reached(t, echo(), answer(200, Buffer.alloc(5_000_000, 'x')), drip(['a', 'b', 'c'], 5))
  const proxy = await start(t, { upstream: door.url })

  const upload = await proxy.request('/', { method: 'POST', body: Buffer.alloc(3_000_000, 'y') })
  assert.equal((JSON.parse(upload.body) as Echo).bodyLength, 3_000_000)
  assert.equal((await proxy.get('/')).body.length, 5_000_000)
  assert.equal((await proxy.get('/')).body, 'abc')
  // One connection at a time is enough for one request after another.
  assert.equal(door.connections, 1)
})

test('Host is what the endpoint says, where it says something', async (t) => {
  const { door } = await reached(t, echo())
  const proxy = await start(t, { upstream: { endpoints: [{ origin: door.url, host: 'app.test:81' }] } })

  assert.equal((JSON.parse((await proxy.get('/')).body) as Echo).headers.host, 'app.test:81')
})

test('a Location that names the host of the socket comes back under the route', async (t) => {
  const { door } = await reached(t, (req, res, n) => {
    answer(302, '', { location: { '/other': 'https://localhost/x', '/named': 'http://localhost/new', '/port': 'http://localhost:80/new' }[req.url!] ?? '/new' })(req, res, n)
  })
  const proxy = await start(t, { upstream: door.url, prefix: '/api' })

  const seen = await Promise.all(['/plain', '/named', '/port', '/other'].map(async (path) => (await proxy.get(`/api${path}`)).headers['location']))

  assert.deepEqual(seen, ['/api/new', '/api/new', '/api/new', 'https://localhost/x'])
})

test('HTTP/2 is spoken with prior knowledge', async (t) => {
  const upstream = await http2Origin(t, reflect())
  const door = await unixDoor(t, join(await socketFolder(t), 'app.sock'), Number(new URL(upstream.url).port))
  const proxy = await start(t, { upstream: { endpoints: [door.url], pool: { protocol: 'h2' } } })

  const response = await proxy.request('/x', { method: 'POST', body: Buffer.from('hello') })

  const { headers, body } = JSON.parse(response.body) as { headers: Record<string, string>, body: string }
  assert.deepEqual([headers[':authority'], headers[':scheme'], headers[':path'], body], ['localhost', 'http', '/x', 'hello'])
  assert.equal((await proxy.get('/')).status, 200)
  assert.equal(door.connections, 1)
})

for (const protocol of ['http1', 'h2'] as const) {
  test(`health checks and warm connections go over the socket (${protocol})`, async (t) => {
    const upstream = protocol === 'http1' ? await origin(t, answer(200, 'ok')) : await http2Origin(t, reply(200, 'ok'))
    const door = await unixDoor(t, join(await socketFolder(t), 'app.sock'), Number(new URL(upstream.url).port))
    const proxy = await start(t, {
      upstreams: { a: { endpoints: [door.url], pool: { protocol, warm: 2 }, health: { interval: 60_000, waitForHealthy: 5000 } } },
      routes: [{ url: '/*', upstream: 'a' }]
    })

    const [endpoint] = proxy.app.proxy.stats().upstreams['a']!.endpoints

    assert.deepEqual([endpoint!.health, endpoint!.connections.warm], ['healthy', 2])
    assert.equal((await proxy.get('/')).body, 'ok')
    // Two that are warm, and that of the check.
    assert.equal(door.connections, 3)
  })
}

test('a WebSocket goes over it', async (t) => {
  const upstream = await webSocketOrigin(t)
  const door = await unixDoor(t, join(await socketFolder(t), 'app.sock'), upstream.port)
  const proxy = await start(t, { upstream: door.url, websocket: true })
  const client = await webSocket(t, `${proxy.url}/chat`)

  for (const text of ['hello', 'x'.repeat(200_000)]) {
    client.socket.send(text)
    assert.equal((await client.next()).toString(), text)
  }
  client.socket.close(4001, 'done')

  assert.deepEqual(await client.closed, { code: 4001, reason: 'done' })
})

for (const protocol of ['http1', 'h2'] as const) {
  test(`a socket that is not there, is none, or is left over is a refused connection, and tried elsewhere (${protocol})`, async (t) => {
    const folder = await socketFolder(t)
    const file = join(folder, 'file')
    await writeFile(file, '')
    // Closed without unlinking, as by a process that was killed.
    const stale = join(folder, 'stale')
    const server = createServer().listen(stale)
    await once(server, 'listening')
    await rename(stale, join(folder, 'left'))
    server.close()
    const bad = [join(folder, 'none'), file, join(folder, 'left'), join(file, 'x')].map((path) => `unix:${path}`)
    const upstream = protocol === 'http1' ? await origin(t, answer(200, 'ok')) : await http2Origin(t, reply(200, 'ok'))
    const door = await unixDoor(t, join(folder, 'app.sock'), Number(new URL(upstream.url).port))
    // Each alone, and each beside one that is well.
    const all = [...bad.map((url) => [url]), ...bad.map((url) => [url, door.url])]
    const proxy = await start(t, {
      upstreams: Object.fromEntries(all.map((endpoints, index) => [`u${index}`, { endpoints, pool: { protocol }, balancer: 'round-robin' as const }])),
      routes: all.map((_endpoints, index) => ({ url: `/${index}`, upstream: `u${index}` }))
    })

    for (const index of bad.keys()) {
      const alone = await proxy.request(`/${index}`, { method: 'POST' })
      assert.deepEqual([alone.status, JSON.parse(alone.body).code], [502, 'FST_SLUICE_CONNECTION_REFUSED'], bad[index])
      assert.equal(alone.body.includes(folder), false)
      // Nothing was sent: whatever the method, the other one is asked.
      for (let count = 0; count < 2; count++) assert.equal((await proxy.request(`/${bad.length + index}`, { method: 'POST' })).body, 'ok', bad[index])
    }
  })
}

test('a socket that is not ours to open is a refused connection', async (t) => {
  const { door } = await reached(t, answer(200, 'ok'))
  await chmod(door.path, 0)
  const proxy = await start(t, { upstream: door.url })

  const response = await proxy.get('/')

  // Nothing is closed to root.
  if (getuid!() === 0) assert.equal(response.body, 'ok')
  else assert.deepEqual([response.status, JSON.parse(response.body).code], [502, 'FST_SLUICE_CONNECTION_REFUSED'])
})

test('a connection that was closed while it was idle is tried again', async (t) => {
  const { door } = await reached(t, answer(200, 'ok'))
  const proxy = await start(t, { upstream: door.url })
  await proxy.get('/')

  for (const socket of door.sockets) socket.destroy()

  assert.equal((await proxy.get('/')).body, 'ok')
})

test('a server that comes back on the same path is found again', async (t) => {
  const { door, upstream } = await reached(t, answer(200, 'ok'))
  const proxy = await start(t, { upstream: door.url, retry: false })
  await proxy.get('/')

  await door.close()
  await eventually('refused', async () => (await proxy.get('/')).status === 502)
  await unixDoor(t, door.path, upstream.port)

  await eventually('answered', async () => (await proxy.get('/')).body === 'ok')
})

test('explain and the log name the socket, and a path on it behind a colon', async (t) => {
  const { door } = await reached(t, answer(200, 'ok'))
  const proxy = await start(t, { upstream: door.url, prefix: '/api' })

  const { endpoints } = proxy.app.proxy.explain({ url: '/api/x' })

  assert.deepEqual(endpoints.map(({ url, origin }) => [url, origin]), [[`${door.url}:/x`, door.url]])
})

const refused: readonly (readonly [what: string, options: ProxyOptions, path: string, message: RegExp])[] = [
  ['a relative path', { upstreams: { a: 'unix:app.sock' }, routes: [] }, 'upstreams.a.endpoints[0].origin', /absolute: 'unix:\/run\/app\.sock'/],
  ['a relative path in the one-line form', { upstream: 'unix:app.sock' }, 'upstream', /absolute/],
  ['a relative path of a route', { routes: [{ url: '/*', upstream: 'unix:./x' }] }, 'routes[0].upstream', /absolute/],
  ['a relative path of a canary', { upstreams: { a: 'http://a' }, routes: [{ url: '/*', upstream: 'a', canary: { upstream: 'unix:x' } }] }, 'routes[0].canary.upstream', /absolute/],
  ['a host', { upstream: { endpoints: ['unix://run/app.sock'] } }, 'upstream.endpoints[0].origin', /no host/],
  ['a query', { upstream: { endpoints: ['unix:/run/app.sock?x'] } }, 'upstream.endpoints[0].origin', /no query/],
  ['a path that is too long', { upstream: { endpoints: [`unix:/${'x'.repeat(200)}`] } }, 'upstream.endpoints[0].origin', /at most \d+ bytes, not 201/],
  ['another spelling', { upstream: { endpoints: ['http://unix:/run/app.sock'] } }, 'upstream.endpoints[0].origin', /is written 'unix:\/run\/app\.sock'/],
  ['TLS', { upstream: { endpoints: ['unix:/run/app.sock'], pool: { tls: { rejectUnauthorized: false } } } }, 'upstream.pool.tls', /without TLS/],
  ['a forward proxy', { upstream: { endpoints: ['http://a', 'unix:/run/app.sock'], pool: { proxy: 'http://proxy:3128' } } }, 'upstream.pool.proxy', /Unix sockets/]
]

for (const [what, options, path, message] of refused) {
  test(`a Unix socket with ${what} is refused at start`, async (t) => {
    await assert.rejects(start(t, options), ({ problems }: { problems: { path: string, message: string }[] }) => {
      assert.deepEqual(problems.map((problem) => problem.path), [path])
      assert.match(problems[0]!.message, message)
      return true
    })
  })
}
