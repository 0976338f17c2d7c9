import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { connect } from '../helpers/client.ts'
import { fairly } from '../helpers/fair.ts'
import { blackhole, hang, origin, refusedPort } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'
import { handshake, webSocket, webSocketOrigin } from '../helpers/websocket.ts'

test('spreads handshakes over the endpoints by their open tunnels', async (t) => {
  const [first, second] = await Promise.all([webSocketOrigin(t), webSocketOrigin(t)])
  const proxy = await start(t, { upstream: { endpoints: [first.url, second.url] }, websocket: true })

  for (let count = 0; count < 10; count++) await webSocket(t, proxy.url)

  // power-of-two compares `active`, which an open tunnel is part of: it cannot lean to one side by more than one.
  assert.deepEqual([first.requests.length, second.requests.length], [5, 5])
})

test('tries another endpoint when one refuses the connection', async (t) => {
  const upstream = await webSocketOrigin(t)
  const proxy = await start(t, { upstream: { endpoints: [`http://127.0.0.1:${await refusedPort()}`, upstream.url], balancer: 'round-robin' }, websocket: true })

  for (let count = 0; count < 4; count++) {
    const client = await webSocket(t, proxy.url)
    client.socket.send('hello')
    assert.equal((await client.next()).toString(), 'hello')
    client.socket.close()
    await client.closed
  }
  assert.equal(upstream.requests.length, 4)
  assert.ok((await proxy.line((line) => line['attempts'] === 2))['status'] === 101)
})

test('chooses the canary by header', async (t) => {
  const [stable, next] = await Promise.all([webSocketOrigin(t), webSocketOrigin(t)])
  const proxy = await start(t, { upstreams: { stable: stable.url, next: next.url }, routes: [{ url: '/*', upstream: 'stable', canary: { upstream: 'next', header: 'x-canary' }, websocket: true }] })

  await webSocket(t, proxy.url, [], { headers: { 'x-canary': 'true' } })
  await webSocket(t, proxy.url)

  assert.deepEqual([stable.requests.length, next.requests.length], [1, 1])
})

const failures: [what: string, error: string, status: number, upstream: (t: Parameters<typeof origin>[0]) => Promise<string>][] = [
  ['does not listen', 'connection_refused', 502, async () => `http://127.0.0.1:${await refusedPort()}`],
  ['cannot be reached in time', 'connection_timeout', 504, async (t) => (await blackhole(t)).url],
  ['does not answer in time', 'http_response_timeout', 504, async (t) => (await origin(t, hang())).url]
]

for (const [what, error, status, upstreamOf] of failures) {
  test(`answers a handshake whose upstream ${what} with ${status} ${error}`, (t) => fairly(60, async () => {
    const url = await upstreamOf(t)
    const proxy = await start(t, { upstream: { endpoints: [url], pool: { connectTimeout: 200 } }, websocket: true, timeouts: { head: 200 } })
    const client = await connect(t, proxy.port)
    client.write(handshake('/x'))

    const response = await client.response()

    assert.deepEqual([response.status, response.headers['content-type'], response.headers['connection']], [status, 'application/problem+json; charset=utf-8', 'close'])
    assert.equal((await proxy.line())['error'], error)
    await client.closed
    assert.equal(proxy.app.proxy.snapshot!.upstreams.get(url)!.state.endpoints[0]!.active, 0)
  }))
}

test('a tunnel takes no connection from the pool', async (t) => {
  const upstream = await webSocketOrigin(t)
  const proxy = await start(t, { upstream: { endpoints: [upstream.url], pool: { connections: 1 } }, websocket: true })

  const clients = []
  for (let count = 0; count < 5; count++) clients.push(await webSocket(t, proxy.url))

  for (const client of clients) {
    client.socket.send('hello')
    assert.equal((await client.next()).toString(), 'hello')
  }
  assert.equal(proxy.app.proxy.tunnels().length, 5)
})

test('a client that ends its connection before the answer to its handshake gives the upstream’s free at once', async (t) => {
  const upstream = await origin(t, hang())
  const proxy = await start(t, { upstream: upstream.url, websocket: true, timeouts: { head: 60_000 } })
  const client = await connect(t, proxy.port)
  client.write(handshake('/x'))
  await upstream.arrived(1)
  const [held] = upstream.sockets.keys()

  client.socket.end()

  if (!held!.destroyed) await once(held!, 'close')
  assert.equal((await proxy.line())['error'], 'client_closed_request')
  assert.equal(proxy.app.proxy.snapshot!.upstreams.get(upstream.url)!.state.endpoints[0]!.active, 0)
})
