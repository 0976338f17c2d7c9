import assert from 'node:assert/strict'
import { createServer as createHttp2Server, type ServerHttp2Session } from 'node:http2'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { createServer as createTlsServer, type TLSSocket } from 'node:tls'
import { test, type TestContext } from 'node:test'
import { createPool } from '../../lib/data-plane/pool/index.ts'
import type { PoolOptions } from '../../types/index.ts'
import { fairly } from '../helpers/fair.ts'
import { answer, hang, origin, refusedPort } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'
import { ca, server as identity } from '../helpers/tls.ts'
import { eventually } from '../helpers/until.ts'

const counts = (proxy: Started): object => proxy.app.proxy.stats().upstreams['some']!.endpoints[0]!.connections

function startOver (t: TestContext, url: string, pool: PoolOptions): Promise<Started> {
  return start(t, { upstreams: { some: { endpoints: [url], pool } }, routes: [{ url: '/*', upstream: 'some' }] })
}

interface Counted { url: string, sockets: Set<Socket>, total: () => number }

/** Counts connections, and answers every request on them. */
async function counting (t: TestContext): Promise<Counted> {
  const sockets = new Set<Socket>()
  let total = 0
  const server = createServer((socket) => {
    total++
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket)).on('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, sockets, total: () => total }
}

test('warm connections are there before the app is ready, and requests use them', (t) => fairly(5, async () => {
  const upstream = await counting(t)
  const proxy = await startOver(t, upstream.url, { warm: 3 })
  assert.deepEqual(counts(proxy), { busy: 0, idle: 0, warm: 3, opening: 0 })
  await eventually('all have arrived', () => upstream.total() === 3)
  assert.equal((await proxy.get('/')).body, 'ok')
  const line = await proxy.line()
  assert.ok(line['durations'].connect < 20, 'nobody waited for a connection')
  assert.equal(upstream.total(), 3)
}))

test('they are kept: one that the upstream closes is replaced', async (t) => {
  const upstream = await counting(t)
  const proxy = await startOver(t, upstream.url, { warm: 2 })
  await eventually('both have arrived', () => upstream.sockets.size === 2)
  for (const socket of upstream.sockets) socket.end()
  await eventually('two new ones', () => upstream.total() === 4 && upstream.sockets.size === 2)
  assert.equal((await proxy.get('/')).body, 'ok')
})

test('what an upstream says before it was asked is nobody\'s answer', async (t) => {
  const upstream = await counting(t)
  const proxy = await startOver(t, upstream.url, { warm: 1 })
  await eventually('it has arrived', () => upstream.sockets.size === 1)
  for (const socket of upstream.sockets) socket.end('HTTP/1.1 408 Request Timeout\r\ncontent-length: 4\r\n\r\nlate')
  await eventually('a new one', () => upstream.total() === 2)
  assert.equal((await proxy.get('/')).body, 'ok')
})

test('with all of them busy there are no more connections than allowed', async (t) => {
  const slow = await origin(t, (req, res, n) => { setTimeout(() => answer(200)(req, res, n), 30) })
  const proxy = await startOver(t, slow.url, { warm: 2, connections: 2 })
  const statuses = await Promise.all(Array.from({ length: 10 }, async () => (await proxy.get('/')).status))
  assert.deepEqual(new Set(statuses), new Set([200]))
  assert.equal(new Set(slow.requests.map(({ connection }) => connection)).size, 2)
})

test('an endpoint that cannot be connected to does not keep the app from starting', async (t) => {
  const proxy = await startOver(t, `http://127.0.0.1:${await refusedPort()}`, { warm: 2 })
  assert.equal((await proxy.get('/')).status, 502)
})

test('warm connections over TLS have had their handshake, and resume sessions', async (t) => {
  const resumed: boolean[] = []
  const server = createTlsServer(identity, (socket: TLSSocket) => {
    resumed.push(socket.isSessionReused())
    socket.on('error', () => {}).on('data', () => socket.end('HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok'))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => { server.close() })
  const proxy = await startOver(t, `https://localhost:${(server.address() as AddressInfo).port}`, { warm: 1, tls: { ca } })
  await eventually('it has arrived', () => resumed.length === 1)
  for (let count = 0; count < 3; count++) assert.equal((await proxy.get('/')).body, 'ok')
  assert.equal(resumed[0], false)
  assert.ok(resumed.slice(1).includes(true), resumed.join(', '))
})

test('a connection to a name is not used for ever, so that a changed address is seen', (t) => fairly(10, async () => {
  const well = await origin(t, answer(200))
  const pool = createPool(well.url.replace('127.0.0.1', 'localhost'), { protocol: 'http1', connections: 1, warm: 0, keepAliveTimeout: 4000, connectTimeout: 1000 }, 50)
  t.after(() => pool.closeInPeace())
  const ask = async (): Promise<void> => {
    const { body } = await pool.request({ path: '/', method: 'GET' })
    await body.dump()
  }
  await ask()
  await ask()
  await new Promise((resolve) => setTimeout(resolve, 60))
  await ask()
  await ask()
  assert.deepEqual(well.requests.map(({ connection, headers }) => [connection, headers.connection]), [[0, 'keep-alive'], [0, 'keep-alive'], [0, 'close'], [1, 'keep-alive']])
}))

test('an idle connection is closed before the upstream says it would', async (t) => {
  const short = await origin(t, answer(200, '', { 'keep-alive': 'timeout=1' }))
  const pool = createPool(short.url, { protocol: 'http1', connections: 1, warm: 0, keepAliveTimeout: 4000, connectTimeout: 1000 })
  t.after(() => pool.closeInPeace())
  const { body } = await pool.request({ path: '/', method: 'GET' })
  await body.dump()
  await eventually('it closes at once: one second less a margin of one is nothing', () => pool.connections.idle === 0)
})

test('connections that wait are closed with the app', async (t) => {
  const upstream = await counting(t)
  const proxy = await startOver(t, upstream.url, { warm: 2 })
  await eventually('both have arrived', () => upstream.sockets.size === 2)
  await proxy.app.close()
  await eventually('all are closed', () => upstream.sockets.size === 0)
})

test('an exchange that hangs counts as busy', async (t) => {
  const slow = await origin(t, hang())
  const proxy = await startOver(t, slow.url, {})
  const leaving = new AbortController()
  const answered = fetch(`${proxy.url}/`, { signal: leaving.signal }).catch(() => {})
  await eventually('it is under way', () => slow.hits === 1)
  assert.deepEqual(counts(proxy), { busy: 1, idle: 0, warm: 0, opening: 0 })
  leaving.abort()
  await answered
})

test('over HTTP/2 connections are warm too, checks go over their own, and what ends is replaced', async (t) => {
  const sessions = new Set<ServerHttp2Session>()
  const paths: string[] = []
  let total = 0
  const server = createHttp2Server()
  server.on('session', (session) => {
    total++
    sessions.add(session)
    session.on('close', () => sessions.delete(session))
  })
  server.on('stream', (stream, headers) => {
    paths.push(`${headers[':path']} ${headers['x-health-probe']}`)
    stream.respond({ ':status': 200 })
    stream.end('ok')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    for (const session of sessions) session.destroy()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const proxy = await start(t, {
    upstreams: { some: { endpoints: [url], pool: { protocol: 'h2', warm: 1 }, health: { path: '/up', interval: 60_000, waitForHealthy: 4000 } } },
    routes: [{ url: '/*', upstream: 'some' }]
  })
  assert.equal(proxy.app.proxy.stats().upstreams['some']!.endpoints[0]!.health, 'healthy')
  assert.equal((await proxy.get('/x')).body, 'ok')
  assert.deepEqual(paths, ['/up true', '/x undefined'])
  assert.equal(total, 2)
  await eventually('the session of the check has ended', () => sessions.size === 1)
  for (const session of sessions) session.close()
  await eventually('a new one', () => total === 3)
})

test('over HTTP/2 a check that hangs fails, and one that is refused', async (t) => {
  const server = createHttp2Server()
  const sessions = new Set<ServerHttp2Session>()
  server.on('session', (session) => { sessions.add(session) })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    for (const session of sessions) session.destroy()
    server.close()
  })
  const health = { interval: 50, timeout: 50, fall: 1, waitForHealthy: 4000 }
  const proxy = await start(t, {
    upstreams: { some: { endpoints: [`http://127.0.0.1:${(server.address() as AddressInfo).port}`, `http://127.0.0.1:${await refusedPort()}`], pool: { protocol: 'h2' }, health } },
    routes: [{ url: '/*', upstream: 'some' }]
  })
  assert.deepEqual(proxy.app.proxy.stats().upstreams['some']!.endpoints.map(({ health }) => health), ['unhealthy', 'unhealthy'])
})
