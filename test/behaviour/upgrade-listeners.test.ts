import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import process from 'node:process'
import { test, type TestContext } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { Client, connect } from '../helpers/client.ts'
import { echo, origin, type Echo } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'
import { ca, server as tls } from '../helpers/tls.ts'
import { webSocketOrigin } from '../helpers/websocket.ts'

const asking = 'Connection: Upgrade\r\nUpgrade: foo\r\n'
const offer = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n'

/** Sockets as the server sees them, once each. */
function watch (proxy: Started): { sockets: Socket[], told: () => number } {
  const sockets: Socket[] = []
  let told = 0
  proxy.app.server.on('connection', (socket: Socket) => {
    told++
    if (!sockets.includes(socket)) sockets.push(socket)
  })
  return { sockets, told: () => told }
}

function listeners (socket: Socket): Record<string, number> {
  return Object.fromEntries(socket.eventNames().map((name) => [String(name), socket.listenerCount(name)]))
}

async function ask (t: TestContext, proxy: Started, count: number, fields: string): Promise<void> {
  const client = await connect(t, proxy.port)
  for (let index = 0; index < count; index++) {
    client.write(`GET /${index} HTTP/1.1\r\nHost: x\r\n${fields}\r\n`)
    const { status, body } = await client.response()
    assert.deepEqual([status, (JSON.parse(body.toString()) as Echo).url], [200, `/${index}`])
  }
}

for (const [what, fields] of [['a protocol that nobody speaks', asking], ['HTTP/2', offer]] as const) {
  test(`requests for ${what} on one connection leave no listeners on it, and whoever watches connections hears of one`, async (t) => {
    const warnings: string[] = []
    const onWarning = ({ name }: Error): void => { warnings.push(name) }
    process.on('warning', onWarning)
    t.after(() => { process.off('warning', onWarning) })
    const upstream = await origin(t, echo())
    const proxy = await start(t, { upstream: upstream.url, websocket: true })
    const { sockets, told } = watch(proxy)

    await ask(t, proxy, 50, '')
    await ask(t, proxy, 50, fields)

    const [plain, upgraded] = sockets.map(listeners)
    assert.deepEqual(upgraded, plain)
    assert.equal(told(), 2)
    assert.deepEqual(warnings, [])
  })
}

for (const [what, fastify] of [['TLS', { https: tls }], ['TLS beside HTTP/2', { http2: true, https: { ...tls, allowHTTP1: true } }]] as const) {
  test(`so it is over ${what}`, async (t) => {
    const upstream = await origin(t, echo())
    const proxy = await start(t, { upstream: upstream.url, websocket: true }, { fastify: fastify as object })
    const socket = connectTls({ port: proxy.port, host: '127.0.0.1', ca, servername: 'localhost' })
    t.after(() => { socket.destroy() })
    await once(socket, 'secureConnect')
    const client = new Client(socket, true)
    const secure: Socket[] = []
    proxy.app.server.on('request', ({ socket }: { socket: Socket }) => { if (!secure.includes(socket)) secure.push(socket) })
    const seen: Record<string, number>[] = []
    for (let index = 0; index < 20; index++) {
      client.write(`GET /${index} HTTP/1.1\r\nHost: x\r\n${index === 0 ? '' : asking}\r\n`)
      assert.equal((JSON.parse((await client.response()).body.toString()) as Echo).url, `/${index}`)
      seen.push(listeners(secure[0]!))
    }

    assert.equal(secure.length, 1)
    assert.deepEqual(seen.at(-1), seen[1])
    assert.ok(Object.values(seen[1]!).every((count) => count < 5))
  })
}

test('an upgrade that another listener may take leaves one listener at most', async (t) => {
  const upstream = await webSocketOrigin(t)
  const seen: number[] = []
  const proxy = await start(t, { routes: [{ url: '/ws', upstream: upstream.url, websocket: true }] }, {
    after: (app) => {
      app.server.on('upgrade', (request, socket) => {
        // Gives it back, as one may that serves what it does not want.
        setTimeout(() => {
          if (socket.destroyed) return
          socket.write('HTTP/1.1 204 No\r\n\r\n')
          seen.push(socket.listenerCount('error'))
          app.server.emit('upgrade', request, socket, Buffer.alloc(0))
        }, 5)
      })
    }
  })
  const client = await connect(t, proxy.port)
  client.write(`GET /other HTTP/1.1\r\nHost: x\r\n${asking}\r\n`)
  for (let index = 0; index < 5; index++) await client.response()
  client.socket.destroy()

  assert.deepEqual(new Set(seen), new Set([1]))
})

test('a request behind an upgrade is in nobody else’s async scope', async (t) => {
  const storage = new AsyncLocalStorage<string>()
  const outer: (string | undefined)[] = []
  const upstream = await origin(t, echo())
  const proxy = await start(t, { upstream: upstream.url, websocket: true }, {
    before: (app) => {
      app.addHook('onRequest', (request, _reply, done) => {
        outer.push(storage.getStore())
        storage.run(request.url, done)
      })
    }
  })
  const client = await connect(t, proxy.port)

  client.write(`GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n${asking}\r\nGET /3 HTTP/1.1\r\nHost: x\r\n${asking}\r\nGET /4 HTTP/1.1\r\nHost: x\r\n\r\n`)
  for (const url of ['/1', '/2', '/3', '/4']) assert.equal((JSON.parse((await client.response()).body.toString()) as Echo).url, url)

  assert.deepEqual(outer, [undefined, undefined, undefined, undefined])
})

test('an upgrade behind an answer that Node gives at once is answered as well', async (t) => {
  const upstream = await origin(t, echo())
  const proxy = await start(t, { upstream: upstream.url, websocket: true })
  const client = await connect(t, proxy.port)

  // Node's own 417 is out before anybody could have taken the upgrade in hand.
  client.write('GET /a HTTP/1.1\r\nHost: a\r\nExpect: other\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\nUpgrade: other\r\nConnection: upgrade\r\n\r\n')

  assert.equal((await client.response()).status, 417)
  assert.equal((await client.response()).status, 200)
})

test('an upgrade behind an answer that the app gives at once is answered as well', async (t) => {
  const upstream = await origin(t, echo())
  const proxy = await start(t, { routes: [{ url: '/b', upstream: upstream.url, websocket: true }] }, {
    before: (app) => { app.get('/a', (_request, reply) => { reply.send('a') }) }
  })
  const client = await connect(t, proxy.port)

  client.write(`GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n${asking}\r\n`)

  assert.equal((await client.response()).body.toString(), 'a')
  assert.equal((JSON.parse((await client.response()).body.toString()) as Echo).url, '/b')
})

test('an upgrade that another listener refuses behind an earlier answer has no second answer', async (t) => {
  const upstream = await origin(t, echo())
  const proxy = await start(t, { routes: [{ url: '/b', upstream: upstream.url, websocket: true }] }, {
    before: (app) => { app.get('/a', (_request, reply) => { reply.send('a') }) },
    after: (app) => { app.server.on('upgrade', (_request, socket) => { socket.end('HTTP/1.1 400 No\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno') }) }
  })
  const client = await connect(t, proxy.port)

  client.write('GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n')
  assert.equal((await client.response()).body.toString(), 'a')
  assert.equal((await client.response()).status, 400)
  await client.closed

  assert.equal(upstream.hits, 0)
})
