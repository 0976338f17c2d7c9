import assert from 'node:assert/strict'
import type { ServerHttp2Session } from 'node:http2'
import { createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import type { Dispatcher } from 'undici'
import { createPool, type PoolConfig } from '../../lib/data-plane/pool/index.ts'
import { block, END_HEADERS, END_STREAM, frame, framesOrigin } from '../helpers/frames.ts'
import { http2Origin, reply } from '../helpers/http2.ts'
import { eventually } from '../helpers/until.ts'

/* The pool by itself, where an exchange would stand in the way of seeing it. */

interface Seen {
  status: number
  error: Error | null
  client: { cut (): void, cutIdle (): void } | null
  over: Promise<void>
}

type Pool = ReturnType<typeof createPool> & Dispatcher

function poolOf (t: TestContext, origin: string, config: Partial<PoolConfig> = {}, recycleAfter?: number): Pool {
  const full = { connections: 8, warm: 0, keepAliveTimeout: 4000, connectTimeout: 1000, protocol: 'h2', ...config } as PoolConfig
  const pool = createPool(origin, full, recycleAfter) as Pool
  t.after(() => pool.destroy())
  return pool
}

function send (pool: Pool, isOver: () => boolean = () => false): Seen {
  const seen: Seen = { status: 0, error: null, client: null, over: Promise.resolve() }
  seen.over = new Promise((resolve) => {
    const handler = {
      get client () { return seen.client },
      set client (client: Seen['client']) { seen.client = client },
      get isOver () { return isOver() },
      onConnect () { if (isOver()) throw new Error('given up') },
      onHeaders (status: number) { seen.status = status; return true },
      onData: () => true,
      onComplete () { resolve() },
      onError (error: Error) { seen.error = error; resolve() }
    }
    pool.dispatch({ method: 'GET', path: '/', headers: { host: 'a.example' }, body: null } as unknown as Dispatcher.DispatchOptions, handler as unknown as Dispatcher.DispatchHandler)
  })
  return seen
}

async function ask (pool: Pool): Promise<Seen> {
  const seen = send(pool)
  await seen.over
  return seen
}

test('a connection to a name takes no more requests after its time, and one to an address does', async (t) => {
  const upstream = await http2Origin(t, reply(200, 'ok'))
  const time = 20
  const named = poolOf(t, upstream.url.replace('127.0.0.1', 'localhost'), {}, time)
  const addressed = poolOf(t, upstream.url, {}, time)

  for (const pool of [named, addressed]) {
    assert.equal((await ask(pool)).status, 200)
    await new Promise((resolve) => setTimeout(resolve, time + 5))
    assert.equal((await ask(pool)).status, 200)
  }

  // Not how many there were: on a machine that is busy the time of one may be over before its first request.
  const [first, second, third, fourth] = upstream.requests.map(({ session }) => session)
  assert.notEqual(first, second)
  assert.equal(third, fourth)
})

test('a pool that is closed fails what waits, finishes what is under way, and takes nothing more', async (t) => {
  const upstream = await http2Origin(t, (stream) => { setTimeout(() => { stream.respond({ ':status': 200 }); stream.end() }, 50) })
  upstream.server.on('session', (session: ServerHttp2Session) => { session.settings({ maxConcurrentStreams: 1 }) })
  const pool = poolOf(t, upstream.url, { connections: 1 })
  await ask(pool)
  const running = send(pool)
  const waiting = send(pool)
  await upstream.until('the second', () => upstream.requests.length === 2)

  const closing = pool.close()
  await Promise.all([running.over, waiting.over, closing])

  assert.deepEqual([running.status, running.error], [200, null])
  assert.equal((waiting.error as NodeJS.ErrnoException).code, 'UND_ERR_CLOSED')
  assert.equal(((await ask(pool)).error as NodeJS.ErrnoException).code, 'UND_ERR_CLOSED')
  await new Promise<void>((resolve) => { pool.close(resolve) })
})

test('a pool that is destroyed fails everything', async (t) => {
  const upstream = await http2Origin(t, () => {})
  const pool = poolOf(t, upstream.url)
  const running = send(pool)
  await upstream.until('it', () => upstream.requests.length === 1)

  await new Promise<void>((resolve) => { pool.destroy(null, resolve) })
  await running.over

  assert.notEqual(running.error, null)
})

test('what was given up while it waited is forgotten, also where nothing ever becomes free', async (t) => {
  const upstream = await http2Origin(t, () => {})
  upstream.server.on('session', (session: ServerHttp2Session) => { session.settings({ maxConcurrentStreams: 1 }) })
  const pool = poolOf(t, upstream.url, { connections: 1 })
  send(pool)
  await upstream.until('the first', () => upstream.requests.length === 1)
  await new Promise((resolve) => setTimeout(resolve, 30))

  for (let index = 0; index < 1000; index++) send(pool, () => true)

  assert.ok((pool as unknown as { stats: { queued: number } }).stats.queued < 200)
})

test('idle connections can be closed, and busy ones stay', async (t) => {
  const upstream = await http2Origin(t, reply(200), () => {})
  const pool = poolOf(t, upstream.url)
  const seen = await ask(pool)
  await eventually('an idle connection', () => pool.connections.busy === 0)

  seen.client!.cutIdle()
  await upstream.until('no connection', () => upstream.openSessions === 0)
  const busy = send(pool)
  await upstream.until('another', () => upstream.requests.length === 2)
  busy.client!.cutIdle()

  assert.equal(upstream.openSessions, 1)
})

test('a connection whose other end says nothing any more is left after a request on it was given up', async (t) => {
  const wires: unknown[] = []
  const upstream = await framesOrigin(t, ({ type, stream }, wire, index) => {
    if (type !== 'HEADERS') return
    wires.push(index)
    // The first says nothing: not even to the ping, which no end of this helper answers.
    if (index > 0) wire.write(frame('HEADERS', END_HEADERS | END_STREAM, stream, block([[':status', '204']])))
  })
  const pool = poolOf(t, upstream.url, { connectTimeout: 100 })
  const lost = send(pool)
  await eventually('the request', () => wires.length > 0)

  lost.client!.cut()
  await upstream.wires[0]!.bell.until('its end', () => upstream.wires[0]!.closed)

  assert.equal((await ask(pool)).status, 204)
})

test('an origin that takes connections and does not finish the handshake is given up after connectTimeout', async (t) => {
  const server = createServer(() => {}).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => { server.close() })
  const pool = poolOf(t, `https://127.0.0.1:${(server.address() as AddressInfo).port}`, { connectTimeout: 50 })

  assert.equal(((await ask(pool)).error as NodeJS.ErrnoException).code, 'UND_ERR_CONNECT_TIMEOUT')
})
