import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import test from 'node:test'
import { buildConnector, Client, errors, Pool } from 'undici'
import { answer, drip, hang, origin, rawOrigin, refusedPort, slowHead, speak, tlsOrigin } from '../helpers/origin.ts'
import { ca, server } from '../helpers/tls.ts'
import { dispatch, poolOf, Recorder, send } from './recorder.ts'

/*
 * What lib/data-plane/pool/ leans on in undici: connections, their queue, and the connector.
 */

test('a pool has no more requests under way than connections, and the rest wait in the order they came', async (t) => {
  const upstream = await origin(t, slowHead(5))
  const pool = poolOf(t, upstream.url, { connections: 2 })
  const handlers = Array.from({ length: 8 }, () => new Recorder())
  let most = 0
  upstream.server.on('request', () => { most = Math.max(most, upstream.openSockets) })

  for (const [index, handler] of handlers.entries()) dispatch(pool, { path: `/${index}` }, handler)
  await Promise.all(handlers.map((handler) => handler.called('onComplete')))

  assert.deepEqual([most, upstream.connections], [2, 2])
  assert.deepEqual(upstream.requests.map(({ url }) => url), handlers.map((_handler, index) => `/${index}`))
})

test('a pool takes a connection that is free before it opens another', async (t) => {
  const upstream = await origin(t, answer(200))
  const pool = poolOf(t, upstream.url, { connections: 10 })

  for (let count = 0; count < 3; count++) {
    await send(pool)
    // It is free a little later than its request is complete.
    await new Promise((resolve) => setImmediate(resolve))
  }

  assert.equal(upstream.connections, 1)
})

test('with pipelining 1 no request is written to a connection before the answer of the one before is whole', async (t) => {
  const upstream = await origin(t, drip(['a', 'b', 'c'], 5))
  const pool = poolOf(t, upstream.url)
  const [first, second] = [new Recorder(), new Recorder({ onConnect () { assert.ok(first.calls.includes('onComplete')) } })]

  dispatch(pool, {}, first)
  dispatch(pool, {}, second)
  await second.ended()

  assert.equal(second.error, null)
})

test('with reset: false HEAD leaves its connection to the next request, and so does a GET with a body', async (t) => {
  const upstream = await origin(t, answer(200))
  const pool = poolOf(t, upstream.url)

  for (const outgoing of [{ method: 'HEAD' }, { method: 'HEAD' }, { body: Buffer.from('text') }, { method: 'DELETE', body: Buffer.from('text') }, {}]) await send(pool, outgoing)

  assert.deepEqual([upstream.hits, upstream.connections], [5, 1])
})

test('the factory makes one client per connection, and each says when it is connected, again when it is reconnected, before it writes', async (t) => {
  const upstream = await origin(t, answer(200, '', { connection: 'close' }), answer(200))
  const events: string[] = []
  const pool = poolOf(t, upstream.url, {
    factory: (origin: URL | string, options: object) => {
      const client = new Client(origin, options)
      events.push('made')
      client.on('connect', () => { events.push('connected') })
      return client
    }
  })

  for (let count = 0; count < 3; count++) await send(pool, {}, new Recorder({ onConnect () { events.push('writes') } }))

  assert.deepEqual(events, ['made', 'connected', 'writes', 'connected', 'writes', 'writes'])
})

test('0 is accepted for the head and body timeouts of a pool, and turns them off', async (t) => {
  const upstream = await origin(t, drip(['a', 'b'], 1200))

  // undici's clock looks once in about a second: with a limit of 1 ms the request fails at the first look.
  const [{ calls }, limited] = await Promise.all([send(poolOf(t, upstream.url)), send(poolOf(t, upstream.url, { bodyTimeout: 1 }))])

  assert.equal(calls.at(-1), 'onComplete')
  assert.equal(limited.error?.code, 'UND_ERR_BODY_TIMEOUT')
})

test('an idle connection is closed after keepAliveTimeout, or sooner if the upstream says so, never later', async (t) => {
  const upstream = await rawOrigin(t, speak((n) => `HTTP/1.1 200 OK\r\nContent-Length: 0\r\n${n === 1 ? '' : 'Keep-Alive: timeout=600\r\n'}\r\n`))

  for (const count of [1, 2]) {
    const pool = poolOf(t, upstream.url, { keepAliveTimeout: 100, keepAliveMaxTimeout: 100 })
    await send(pool)
    await upstream.closed(count)
  }
})

test('a connector may give an error, and every request that waits for the connection has it', async (t) => {
  const refused = new Error('no connection')
  const pool = poolOf(t, 'http://127.0.0.1:1', { connect: (_options: unknown, callback: buildConnector.Callback) => { callback(refused, null) } })
  const handlers = [new Recorder(), new Recorder(), new Recorder()]

  for (const handler of handlers) dispatch(pool, {}, handler)
  await Promise.all(handlers.map((handler) => handler.ended()))

  for (const { calls, error } of handlers) assert.deepEqual([calls, error], [['onError'], refused])
})

test('requests that wait in the queue get their turn when connecting fails', async (t) => {
  const pool = poolOf(t, `http://127.0.0.1:${await refusedPort()}`)
  const handlers = Array.from({ length: 5 }, () => new Recorder())

  for (const handler of handlers) dispatch(pool, {}, handler)
  await Promise.all(handlers.map((handler) => handler.ended()))

  for (const { calls, error } of handlers) assert.deepEqual([calls, error?.code], [['onError'], 'ECONNREFUSED'])
})

test('the connector that undici builds gives its socket back at once, and destroying that gives its error to the callback', async (t) => {
  const upstream = await origin(t, answer(200))
  const connect = buildConnector({ timeout: 0 })
  const options = { hostname: '127.0.0.1', protocol: 'http:', port: String(upstream.port) }
  const slow = new errors.ConnectTimeoutError('too slow')

  const outcome = await new Promise((resolve) => {
    const socket = connect(options, function (error: Error | null, _connected: Socket | null) { resolve(error) } as buildConnector.Callback) as unknown as Socket
    assert.ok(socket.connecting)
    socket.destroy(slow)
  })
  const [connected, socket] = await new Promise<[Socket | null, Socket]>((resolve) => {
    const socket: Socket = connect(options, function (_error: Error | null, connected: Socket | null) { resolve([connected, socket]) } as buildConnector.Callback) as unknown as Socket
  })

  assert.equal(outcome, slow)
  assert.equal(connected, socket)
  socket.destroy()
})

test('the options of a TLS connector reach Node, and the name of the server is that of the request', async (t) => {
  const upstream = await tlsOrigin(t, server, answer(200, 'ok'))
  const pool = poolOf(t, upstream.url, { connect: { ca, rejectUnauthorized: true } })

  const named = await send(pool, { servername: 'localhost' })
  const strange = await send(pool, { servername: 'other.test' })

  assert.equal(named.body, 'ok')
  assert.equal(strange.error?.code, 'ERR_TLS_CERT_ALTNAME_INVALID')
})

test('requests with different Host headers share a TLS connection when they name the same server', async (t) => {
  const upstream = await tlsOrigin(t, server, answer(200))
  const pool = poolOf(t, upstream.url, { connect: { ca } })

  for (const host of ['a.test', 'b.test', 'a.test']) await send(pool, { headers: { host }, servername: 'localhost' })

  assert.deepEqual([upstream.hits, upstream.connections], [3, 1])
})

test('close waits for what is under way and takes nothing new', async (t) => {
  const upstream = await origin(t, slowHead(50, answer(200, 'ok')))
  const pool = poolOf(t, upstream.url)
  const [running, waiting] = [new Recorder(), new Recorder()]

  dispatch(pool, {}, running)
  dispatch(pool, {}, waiting)
  const closing = pool.close()
  const late = await send(pool)
  await closing

  assert.deepEqual([running.body, waiting.body], ['ok', 'ok'])
  assert.equal(late.error?.code, 'UND_ERR_CLOSED')
})

test('destroy ends what is under way and what waits, after a close that takes too long too', async (t) => {
  const upstream = await origin(t, hang())
  const pool: Pool = poolOf(t, upstream.url)
  const [running, waiting] = [new Recorder(), new Recorder()]

  dispatch(pool, {}, running)
  dispatch(pool, {}, waiting)
  await upstream.arrived(1)
  pool.close(() => {})
  await pool.destroy()

  assert.deepEqual([running.error?.code, waiting.error?.code], ['UND_ERR_DESTROYED', 'UND_ERR_DESTROYED'])
  await upstream.idle()
})

test('a disconnection while idle is noticed before the next request', async (t) => {
  const upstream = await origin(t, answer(200))
  const pool = poolOf(t, upstream.url)

  await send(pool)
  const gone = once(pool, 'disconnect')
  for (const socket of upstream.sockets.keys()) socket.destroy()
  await gone
  const { calls } = await send(pool)

  assert.equal(calls.at(-1), 'onComplete')
  assert.equal(upstream.connections, 2)
})
