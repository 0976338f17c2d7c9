import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { connect, type Client } from '../helpers/client.ts'
import { promptly } from '../helpers/fair.ts'
import { answer, blackhole, drip, hang, origin, slowHead, tlsOrigin } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'
import { ca, server } from '../helpers/tls.ts'

const get = 'GET /x HTTP/1.1\r\nHost: proxy.test\r\n\r\n'
/** ms; far below all that a close may have to wait for: an idle connection of the client's (72 s) or of the upstream's (4 s). */
const PROMPT = 1000

test('lets exchanges in flight finish, tells their clients that the connection ends, and closes the pools then', async (t) => {
  let finish = (): void => {}
  const upstream = await origin(t, answer(200, 'idle'), (_req, res) => {
    res.writeHead(200)
    res.write('begun, ')
    finish = () => res.end('and done')
  }, slowHead(300, answer(200, 'late')))
  const proxy = await start(t, { upstream: upstream.url })
  const idle = await connect(t, proxy.port)
  idle.write(get)
  await idle.response()
  const midBody = await connect(t, proxy.port)
  midBody.write(get)
  await midBody.until('begun')
  const beforeHead = await connect(t, proxy.port)
  beforeHead.write(get)
  await upstream.arrived(3)

  let isClosed = false
  const closing = proxy.app.close().then(() => { isClosed = true })

  // Nobody waits for a client that has nothing to ask.
  await idle.closed
  const late = await beforeHead.response()
  assert.deepEqual([late.status, late.body.toString(), late.headers['connection']], [200, 'late', 'close'])
  await beforeHead.closed
  assert.equal(isClosed, false)
  finish()
  const response = await midBody.response()
  assert.equal(response.body.toString(), 'begun, and done')
  assert.equal(response.complete, true)
  assert.ok(await promptly(() => closing) < PROMPT)
  await upstream.idle()
  assert.deepEqual(proxy.logs.filter((line) => line['route'] === '/*').map((line) => line['error']), ['', '', ''])
})

test('answers 503 and Connection: close to requests that come while the app is closing', async (t) => {
  const upstream = await origin(t, answer(200, 'open'))
  let proceed = (): void => {}
  const others = new Promise<void>((resolve) => { proceed = resolve })
  const proxy = await start(t, { upstream: upstream.url }, {
    before: (app) => { app.addHook('preClose', () => others) }
  })
  const known = await connect(t, proxy.port)
  known.write(get)
  assert.equal((await known.response()).body.toString(), 'open')

  const closing = proxy.app.close()
  const fresh = await connect(t, proxy.port)
  for (const client of [known, fresh]) {
    client.write(get)
    const response = await client.response()
    assert.equal(response.status, 503)
    assert.equal(response.headers['connection'], 'close')
    await client.closed
  }
  proceed()
  await closing

  assert.equal(upstream.hits, 1)
})

test('ends server-sent events as if they were whole, so that their readers come again elsewhere', async (t) => {
  const upstream = await origin(t, drip(['data: 1\n\n', 'data: 2\n\n'], 600_000, { 'content-type': 'text/event-stream' }))
  const proxy = await start(t, { upstream: upstream.url })
  const clients: Client[] = []
  for (let n = 0; n < 3; n++) {
    const client = await connect(t, proxy.port)
    client.write(get)
    await client.until('data: 1')
    clients.push(client)
  }

  const ms = await promptly(() => proxy.app.close())

  assert.ok(ms < PROMPT, `${ms} ms`)
  for (const client of clients) {
    const response = await client.response()
    assert.equal(response.body.toString(), 'data: 1\n\n')
    assert.equal(response.complete, true)
    await client.closed
  }
  await upstream.idle()
  const lines = proxy.logs.filter((line) => line['route'] === '/*')
  assert.deepEqual(lines.map((line) => line['error']), ['', '', ''])
})

test('waits no longer for an upstream that hangs than its exchange does', async (t) => {
  const upstream = await origin(t, hang())
  const proxy = await start(t, { upstream: upstream.url, timeouts: { head: 400 } })
  const client = await connect(t, proxy.port)
  client.write(get)
  await upstream.arrived(1)

  const ms = await promptly(() => proxy.app.close())

  assert.ok(ms < 400 + PROMPT, `${ms} ms`)
  const response = await client.response()
  assert.equal(response.status, 504)
  assert.equal(response.headers['connection'], 'close')
  await upstream.idle()
})

test('waits for no connection that nobody needs any more to be made', async (t) => {
  const { url } = await blackhole(t)
  const proxy = await start(t, { upstream: { endpoints: [url], pool: { connectTimeout: 30_000 } } })
  const client = await connect(t, proxy.port)
  client.write(get)
  const endpoint = [...proxy.app.proxy.snapshot!.upstreams.values()][0]!.state.endpoints[0]!
  while (endpoint.active === 0) await new Promise(setImmediate)
  client.socket.destroy()
  await proxy.line()

  const ms = await promptly(() => proxy.app.close())

  assert.ok(ms < PROMPT, `${ms} ms`)
  // Nor does anything of it hold the process.
  assert.deepEqual(process.getActiveResourcesInfo().filter((name) => name === 'TCPConnectWrap'), [])
})

test('leaves no upstream connection open, not even one that was made at the second try', async (t) => {
  const upstream = await tlsOrigin(t, server, answer(200, 'second time lucky'))
  upstream.server.once('connection', (socket: Socket) => { socket.destroy() })
  const proxy = await start(t, { upstream: { endpoints: [upstream.url], pool: { connections: 1, tls: { ca } } } })
  assert.equal((await proxy.get('/x')).body, 'second time lucky')
  assert.equal(upstream.openSockets, 1)

  await proxy.app.close()

  assert.ok(await promptly(() => upstream.idle()) < PROMPT)
})

test('an app that has proxied nothing closes at once', async (t) => {
  const proxy = await start(t, { upstream: 'http://127.0.0.1:1' })

  assert.ok(await promptly(() => proxy.app.close()) < PROMPT)
})
