import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { test, type TestContext } from 'node:test'
import { connect, type Client } from '../helpers/client.ts'
import { promptly } from '../helpers/fair.ts'
import { answer, blackhole, drip, hang, origin, stall, type Origin, type Step } from '../helpers/origin.ts'
import type { LogLine, Started } from '../helpers/proxy.ts'
import { assertOneLine, get, startSick } from './error-outcome.ts'

/** ms from the client's departure to the end of all that was done for it. */
const AT_ONCE = 1000

const goes: [how: string, leave: (client: Client) => void][] = [
  ['closes', (client) => { client.socket.destroy() }],
  ['resets', (client) => { client.reset() }]
]

/** One line, at debug, with the status that nobody has seen. */
async function assertLeft (proxy: Started, attempts: number = 1, which: (line: LogLine) => boolean = () => true): Promise<void> {
  const line = await proxy.line((line) => line['route'] === '/sick/*' && which(line))
  assert.deepEqual(
    { status: line['status'], error: line['error'], level: line.level, aborted: line['aborted'], attempts: line['attempts'] },
    { status: 499, error: 'client_closed_request', level: 20, aborted: true, attempts }
  )
  assertOneLine(proxy, line)
}

async function assertAtOnce (what: () => Promise<unknown>): Promise<void> {
  const ms = await promptly(what)
  assert.ok(ms < AT_ONCE, `${ms} ms`)
}

/** More than anybody takes. */
function flood (_req: IncomingMessage, res: ServerResponse): void {
  const more = (): void => {
    while (!res.destroyed && res.write(Buffer.alloc(65_536))) { /* until the socket is full */ }
    res.once('drain', more)
  }
  more()
}

const endless = Array.from({ length: 10_000 }, () => 'more')

interface Phase {
  promise: string
  step: Step
  request: string
  /** Until the exchange is where it is to be left. */
  reach: (client: Client, upstream: Origin) => Promise<unknown>
}

const phases: Phase[] = [
  {
    promise: 'before the head of the response',
    step: hang(),
    request: get,
    reach: (_client, upstream) => upstream.arrived(1)
  },
  {
    promise: 'in the middle of the response',
    step: drip(endless, 5),
    request: get,
    reach: (client) => client.until('more')
  },
  {
    promise: 'between two server-sent events',
    step: drip(['data: 1\n\n', 'data: 2\n\n'], 60_000, { 'content-type': 'text/event-stream' }),
    request: get,
    reach: (client) => client.until('data: 1')
  },
  {
    promise: 'while the upstream waits for it to read',
    step: flood,
    request: get,
    reach: async (client) => {
      await once(client.socket, 'data')
      client.socket.pause()
    }
  },
  {
    promise: 'in the middle of its upload',
    step: hang(),
    request: 'POST /sick/x HTTP/1.1\r\nHost: proxy.test\r\nContent-Length: 1000\r\n\r\nhalf',
    reach: (_client, upstream) => upstream.until('a piece of the body', () => (upstream.requests[0]?.bodyLength ?? 0) > 0)
  },
  {
    promise: 'in the middle of an upload that the upstream does not read',
    step: stall(),
    request: `POST /sick/x HTTP/1.1\r\nHost: proxy.test\r\nContent-Length: 100000000\r\n\r\n${'x'.repeat(16 * 1024 * 1024)}`,
    reach: (_client, upstream) => upstream.arrived(1)
  },
  {
    promise: 'after its upload, before the head of the response',
    step: hang(),
    request: 'POST /sick/x HTTP/1.1\r\nHost: proxy.test\r\nContent-Length: 5\r\n\r\nwhole',
    reach: (_client, upstream) => upstream.until('the whole request', () => upstream.requests[0]?.complete)
  }
]

for (const { promise, step, request, reach } of phases) {
  for (const [how, leave] of goes) {
    test(`a client that ${how} ${promise} takes its upstream request with it`, async (t) => {
      const upstream = await origin(t, step)
      const proxy = await startSick(t, upstream.url)
      const client = await connect(t, proxy.port)
      client.write(request)
      await reach(client, upstream)

      leave(client)

      // A step that leaves the body in the socket does not see the end either: it looks now.
      upstream.requests[0]?.read()
      await assertAtOnce(() => upstream.closed(1))
      assert.equal(upstream.requests[0]?.aborted, true)
      await assertLeft(proxy)
      // Nor was another connection opened in its place.
      assert.equal(upstream.connections, 1)
      assert.equal((await proxy.get('/well')).body, 'well')
    })
  }
}

async function exchangesInFlight (proxy: Started): Promise<number> {
  const { state, load } = proxy.app.proxy.snapshot!.upstreams.get('sick')!
  return state.endpoints.reduce((sum, { active }) => sum + active, load.pending)
}

test('a client that leaves while it waits for a connection never reaches the upstream', async (t) => {
  const upstream = await origin(t, hang(), answer(200, 'next'))
  const proxy = await startSick(t, { endpoints: [upstream.url], pool: { connections: 1 } })
  const first = await connect(t, proxy.port)
  first.write(get)
  await upstream.arrived(1)
  const waiting = await connect(t, proxy.port)
  waiting.write('GET /sick/waiting HTTP/1.1\r\nHost: proxy.test\r\n\r\n')
  await untilActive(t, proxy, 2)

  waiting.socket.destroy()
  await assertAtOnce(() => assertLeft(proxy, 0))
  assert.equal(await exchangesInFlight(proxy), 1)
  first.socket.destroy()
  const next = await proxy.get('/sick/next')

  assert.equal(next.body, 'next')
  assert.deepEqual(upstream.requests.map(({ url }) => url), ['/sick/x', '/sick/next'])
})

/** Nothing rings when an attempt begins: the only thing to do is to look again. */
async function untilActive (t: TestContext, proxy: Started, n: number): Promise<void> {
  while (await exchangesInFlight(proxy) < n) {
    assert.equal(t.signal.aborted, false)
    await new Promise(setImmediate)
  }
}

test('a client that leaves while its connection is being made is not kept waiting for', async (t) => {
  const { url } = await blackhole(t)
  const proxy = await startSick(t, { endpoints: [url], pool: { connectTimeout: 30_000 } })
  const client = await connect(t, proxy.port)
  client.write(get)
  await untilActive(t, proxy, 1)

  client.socket.destroy()

  // Nor is it tried again.
  await assertAtOnce(() => assertLeft(proxy))
  assert.equal(await exchangesInFlight(proxy), 0)
})

test('a client that leaves while a hook of the app makes up its mind never reaches the upstream', async (t) => {
  const upstream = await origin(t, answer(200))
  let asked = (): void => {}
  let decide = (): void => {}
  const isAsked = new Promise<void>((resolve) => { asked = resolve })
  const decision = new Promise<void>((resolve) => { decide = resolve })
  const passed: string[] = []
  const proxy = await startSick(t, upstream.url, {
    onRequest: async () => {
      asked()
      await decision
    },
    preHandler: async () => { passed.push('preHandler') }
  })
  const client = await connect(t, proxy.port)
  client.write(get)
  await isAsked

  client.socket.destroy()
  await assertAtOnce(() => assertLeft(proxy, 0))
  decide()
  await new Promise(setImmediate)
  await new Promise(setImmediate)

  // Fastify goes on with what it has begun; the proxy does not.
  assert.deepEqual(passed, ['preHandler'])
  assert.equal(upstream.connections, 0)
})

test('a client that leaves takes with it what waited in its pipeline', async (t) => {
  const upstream = await origin(t, hang())
  const proxy = await startSick(t, upstream.url)
  const client = await connect(t, proxy.port)
  client.write(`${get}${get}${get}`)
  await upstream.arrived(3)

  client.socket.destroy()

  await assertAtOnce(() => upstream.closed(3))
  for (let n = 0; n < 3; n++) await assertLeft(proxy)
  assert.equal(await exchangesInFlight(proxy), 0)
})

test('a client that leaves after the last byte has taken nothing away', async (t) => {
  const upstream = await origin(t, answer(200, 'whole'))
  const proxy = await startSick(t, upstream.url)
  const client = await connect(t, proxy.port)
  client.write(get)
  await client.response()

  client.socket.destroy()

  const line = await proxy.line()
  assert.deepEqual({ status: line['status'], error: line['error'], level: line.level }, { status: 200, error: '', level: 30 })
  // The upstream's connection is as good as before.
  assert.equal((await proxy.get('/sick/x')).body, 'whole')
  assert.equal(upstream.connections, 1)
})

test('the other plugins of the app see an end of a request whose client left', async (t) => {
  const upstream = await origin(t, hang())
  const ends: number[] = []
  let end = (): void => {}
  const ended = new Promise<void>((resolve) => { end = resolve })
  const proxy = await startSick(t, upstream.url, {
    onSend: async (_request: unknown, reply: { statusCode: number }, payload: unknown) => {
      ends.push(reply.statusCode)
      end()
      return payload
    }
  })
  const client = await connect(t, proxy.port)
  client.write(get)
  await upstream.arrived(1)

  client.socket.destroy()

  await assertAtOnce(() => ended)
  assert.deepEqual(ends, [499])
})
