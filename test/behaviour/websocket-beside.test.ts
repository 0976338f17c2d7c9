import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import fastifyWebSocket from '@fastify/websocket'
import type { FastifyInstance } from 'fastify'
import { Server } from 'socket.io'
import { io, type ManagerOptions, type SocketOptions } from 'socket.io-client'
import { connect } from '../helpers/client.ts'
import { answer, origin } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'
import { handshake, webSocket, webSocketOrigin } from '../helpers/websocket.ts'

/** What @fastify/websocket answers by itself. */
function ownEcho (app: FastifyInstance, path: string): void {
  app.get(path, { websocket: true }, (socket) => {
    socket.on('message', (data) => { socket.send(`own ${String(data)}`) })
  })
}

for (const order of ['before', 'after'] as const) {
  test(`works beside @fastify/websocket, registered ${order} the proxy: each has its own routes`, async (t) => {
    const upstream = await webSocketOrigin(t)
    const plain = await origin(t, answer(200, 'plain'))
    const proxy = await start(t, {
      routes: [
        { url: '/proxied/*', upstream: upstream.url, websocket: true, onRequest: async (request, reply) => { if (request.headers['x-bad'] !== undefined) return reply.code(401).send('no') } },
        { url: '/plain', upstream: plain.url }
      ]
    }, {
      [order]: async (app: FastifyInstance) => {
        await app.register(fastifyWebSocket)
        await app.register(async (scope) => { ownEcho(scope, '/own') })
      }
    })

    const ours = await webSocket(t, `${proxy.url}/proxied/x`)
    const theirs = await webSocket(t, `${proxy.url}/own`)
    ours.socket.send('hello')
    theirs.socket.send('hello')
    assert.equal((await ours.next()).toString(), 'hello')
    assert.equal((await theirs.next()).toString(), 'own hello')

    const refused = await connect(t, proxy.port)
    refused.write(handshake('/proxied/x', ['X-Bad: 1']))
    assert.equal((await refused.response()).status, 401)
    // Nobody else minds that there are such routes.
    assert.equal((await proxy.get('/plain')).body, 'plain')
    ours.socket.close(4002)
    assert.equal((await ours.closed).code, 4002)
    await proxy.app.close()
    assert.equal((await theirs.closed).code, 1005)
  })
}

test('an own route of @fastify/websocket comes before a proxy that takes everything', async (t) => {
  const upstream = await webSocketOrigin(t)
  const proxy = await start(t, { upstream: upstream.url, websocket: true }, {
    before: async (app) => {
      await app.register(fastifyWebSocket)
      ownEcho(app, '/own')
    }
  })

  const theirs = await webSocket(t, `${proxy.url}/own`)
  theirs.socket.send('hello')
  assert.equal((await theirs.next()).toString(), 'own hello')
  const ours = await webSocket(t, `${proxy.url}/any`)
  ours.socket.send('hello')
  assert.equal((await ours.next()).toString(), 'hello')
})

interface Chat { url: string, transports: () => string[] }

function serve (server: Server): Chat['transports'] {
  const seen: string[] = []
  server.on('connection', (socket) => {
    socket.on('ask', (question: string, reply: (answer: string) => void) => {
      seen.push(socket.conn.transport.name)
      reply(`${question}!`)
    })
    socket.emit('welcome', { binary: Buffer.from([1, 2, 255]) })
  })
  return () => seen
}

async function chatOrigin (t: TestContext): Promise<Chat> {
  const http = createServer()
  const server = new Server(http)
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  t.after(() => server.close())
  return { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`, transports: serve(server) }
}

async function chat (t: TestContext, url: string, options: Partial<ManagerOptions & SocketOptions>): Promise<string> {
  const socket = io(url, { reconnection: false, forceNew: true, timeout: 5000, ...options })
  t.after(() => { socket.close() })
  const [welcome] = await new Promise<[{ binary: Buffer }]>((resolve, reject) => {
    socket.once('welcome', (message: { binary: Buffer }) => { resolve([message]) })
    socket.once('connect_error', reject)
  })
  assert.deepEqual([...welcome.binary], [1, 2, 255])
  return await socket.timeout(5000).emitWithAck('ask', 'are you there') as string
}

for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']]) {
  test(`carries socket.io over ${transports.join(', then ')}, client and server unmodified`, async (t) => {
    const upstream = await chatOrigin(t)
    const proxy = await start(t, { upstream: upstream.url, websocket: true })

    assert.equal(await chat(t, proxy.url, { transports }), 'are you there!')

    assert.ok(transports.includes(upstream.transports()[0]!))
  })
}

test('works beside a socket.io server on the same app', async (t) => {
  const upstream = await webSocketOrigin(t)
  let transports = (): string[] => []
  const proxy = await start(t, { prefix: '/proxied', upstream: upstream.url, websocket: true }, {
    after: (app) => {
      const server = new Server(app.server, { destroyUpgrade: false })
      transports = serve(server)
      app.addHook('preClose', async () => { server.disconnectSockets(true) })
    }
  })

  assert.equal(await chat(t, proxy.url, { transports: ['websocket'] }), 'are you there!')
  assert.deepEqual(transports(), ['websocket'])
  const ours = await webSocket(t, `${proxy.url}/proxied/x`)
  ours.socket.send('hello')
  assert.equal((await ours.next()).toString(), 'hello')
})
