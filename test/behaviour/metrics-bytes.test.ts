import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import type { ProxyExchange } from '../../lib/model/exchange.ts'
import type { MetricsRegistry } from '../../types/index.ts'
import { connect } from '../helpers/client.ts'
import { Scrape } from '../helpers/metrics.ts'
import { answer, cutBody, origin } from '../helpers/origin.ts'
import { type Extra, start, type Started } from '../helpers/proxy.ts'
import { eventually } from '../helpers/until.ts'
import { tunnel } from '../helpers/websocket.ts'

const client = createRequire(import.meta.url)('prom-client') as { Registry: new () => MetricsRegistry & { metrics (): Promise<string> } }

interface Point { attributes: object, value: number }
interface Metric { descriptor: { name: string }, dataPoints: Point[] }

/** Body bytes from clients and from upstreams, of all routes. */
async function bytes ({ app }: Started): Promise<readonly [number, number]> {
  const scrape = new Scrape(await app.proxy.metrics.prometheus())
  return [scrape.sum('sluice_request_bytes_total'), scrape.sum('sluice_response_bytes_total')]
}

function whenCounted (proxy: Started, from: number, to: number): Promise<true> {
  return eventually(`${from} bytes from clients and ${to} from upstreams`, async () => {
    const [bytesIn, bytesOut] = await bytes(proxy)
    assert.ok(bytesIn <= from && bytesOut <= to, `${bytesIn} and ${bytesOut} bytes: something counts twice`)
    return bytesIn === from && bytesOut === to
  })
}

/** Keeps the exchanges that are answered. */
function keeping (exchanges: ProxyExchange[]): Extra {
  return { before: (app) => { app.addHook('onSend', async (request) => { exchanges.push(request.proxy as ProxyExchange) }) } }
}

/** An upstream whose answers the test writes. */
async function streaming (t: Parameters<typeof origin>[0]): Promise<{ url: string, answers: ServerResponse[] }> {
  const answers: ServerResponse[] = []
  const upstream = await origin(t, (_req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' })
    res.flushHeaders()
    answers.push(res)
  })
  return { url: upstream.url, answers }
}

test('bytes of an event stream are counted as they pass, and once', async (t) => {
  const { url, answers } = await streaming(t)
  const proxy = await start(t, { upstream: url })
  const client = await connect(t, proxy.port)
  client.write('GET /events HTTP/1.1\r\nHost: proxy.test\r\n\r\n')
  await client.until('\r\n\r\n')

  answers[0]!.write('x'.repeat(1000))
  await whenCounted(proxy, 0, 1000)
  answers[0]!.write('x'.repeat(500))
  await whenCounted(proxy, 0, 1500)
  answers[0]!.end('end')
  await proxy.line()

  assert.deepEqual(await bytes(proxy), [0, 1503])
  assert.deepEqual(await bytes(proxy), [0, 1503])
})

test('a stream that nobody has looked at counts whole at its end', async (t) => {
  const { url, answers } = await streaming(t)
  const proxy = await start(t, { upstream: url })
  const client = await connect(t, proxy.port)
  client.write('GET /events HTTP/1.1\r\nHost: proxy.test\r\n\r\n')
  await client.until('\r\n\r\n')
  answers[0]!.write('x'.repeat(1000))
  await client.until('x'.repeat(100))
  client.socket.destroy()
  await proxy.line()

  assert.deepEqual(await bytes(proxy), [0, 1000])
})

test('bytes of a tunnel are counted as they pass, both ways', async (t) => {
  const { client, upstream, proxy } = await tunnel(t)

  client.write(Buffer.concat([Buffer.from([0x82, 0x80 + 100, 0, 0, 0, 0]), Buffer.alloc(100)]))
  upstream.socket.write(Buffer.concat([Buffer.from([0x82, 50]), Buffer.alloc(50)]))
  await whenCounted(proxy, 106, 52)
  upstream.socket.write(Buffer.concat([Buffer.from([0x82, 50]), Buffer.alloc(50)]))
  await whenCounted(proxy, 106, 104)
  client.end()
  upstream.socket.end()
  await proxy.line()

  assert.deepEqual(await bytes(proxy), [106, 104])
})

test('bytes of an upload are counted as they pass', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const proxy = await start(t, { upstream: upstream.url })
  const client = await connect(t, proxy.port)

  client.write(`POST /up HTTP/1.1\r\nHost: proxy.test\r\nContent-Length: 300000\r\n\r\n${'x'.repeat(100_000)}`)
  await whenCounted(proxy, 100_000, 0)
  client.write('x'.repeat(200_000))
  await client.response()
  await proxy.line()

  assert.deepEqual(await bytes(proxy), [300_000, 2])
})

test('however many read, and whoever they are, no byte is counted twice', async (t) => {
  const { url, answers } = await streaming(t)
  const proxy = await start(t, { upstream: url })
  const { metrics } = proxy.app.proxy
  const registry = new client.Registry()
  metrics.register(registry)
  const producer = metrics.producer()
  for (let count = 0; count < 3; count++) {
    const reader = await connect(t, proxy.port)
    reader.write('GET /events HTTP/1.1\r\nHost: proxy.test\r\n\r\n')
    await reader.until('\r\n\r\n')
  }
  const produced = async (): Promise<number> => {
    const { resourceMetrics } = await producer.collect() as { resourceMetrics: { scopeMetrics: { metrics: Metric[] }[] } }
    const { dataPoints } = resourceMetrics.scopeMetrics[0]!.metrics.find(({ descriptor }) => descriptor.name === 'sluice.response.bytes')!
    return dataPoints.reduce((sum, { value }) => sum + value, 0)
  }
  const registered = async (): Promise<number> => new Scrape(await registry.metrics()).sum('sluice_response_bytes_total')

  for (let round = 1; round <= 3; round++) {
    for (const response of answers) response.write('x'.repeat(100))
    await Promise.all([bytes(proxy), produced(), registered(), bytes(proxy), registered(), produced()])
    await whenCounted(proxy, 0, 300 * round)
    assert.deepEqual([await produced(), await registered()], [300 * round, 300 * round])
  }
  for (const response of answers) response.end()
  for (let count = 0; count < 3; count++) await proxy.line()

  assert.deepEqual([(await bytes(proxy))[1], await produced(), await registered()], [900, 900, 900])
})

test('an upload that a hook sends elsewhere is counted where it went', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const seen: ProxyExchange[] = []
  const proxy = await start(t, {
    upstreams: { first: upstream.url, second: upstream.url },
    routes: [{
      url: '/*',
      upstream: 'first',
      preHandler: async (request, reply) => {
        seen.push(request.proxy as ProxyExchange)
        return reply.proxy('second')
      }
    }]
  })
  const client = await connect(t, proxy.port)
  client.write(`POST /up HTTP/1.1\r\nHost: proxy.test\r\nContent-Length: 200000\r\n\r\n${'x'.repeat(100_000)}`)
  await whenCounted(proxy, 100_000, 0)
  client.write('x'.repeat(100_000))
  await client.response()
  await proxy.line()

  assert.deepEqual(await bytes(proxy), [200_000, 2])
  assert.equal(seen[0]!.flow, null)
})

test('an answer that is tried again counts as what came of it in the end', async (t) => {
  const upstream = await origin(t, cutBody(1000, 10, 'reset'), answer(200, 'ok'))
  const proxy = await start(t, { upstreams: { a: upstream.url }, routes: [{ url: '/*', upstream: 'a', retry: { on: ['reset'] } }] })
  await proxy.get('/x').catch(() => {})
  await proxy.line()

  assert.ok((await bytes(proxy))[1] <= 12)
})

test('short requests are no flows, and nothing is kept of those that are over', async (t) => {
  const upstream = await origin(t, (req, res) => { res.end(req.url === '/large' ? Buffer.alloc(2_000_000) : 'ok') })
  const exchanges: ProxyExchange[] = []
  const proxy = await start(t, { upstream: upstream.url }, keeping(exchanges))

  assert.equal((await proxy.get('/small')).status, 200)
  assert.equal((await proxy.request('/small', { method: 'POST', body: 'abc' })).status, 200)
  assert.equal((await proxy.get('/large')).status, 200)
  for (let count = 0; count < 3; count++) await proxy.line()

  assert.deepEqual(exchanges.map(({ flow }) => flow !== null), [false, false, true])
  assert.deepEqual(await bytes(proxy), [3, 2_000_004])
})

test('with metrics off nothing is kept of a stream', async (t) => {
  const { url, answers } = await streaming(t)
  const exchanges: ProxyExchange[] = []
  const proxy = await start(t, { upstream: url, metrics: false }, keeping(exchanges))
  const client = await connect(t, proxy.port)
  client.write('GET /events HTTP/1.1\r\nHost: proxy.test\r\n\r\n')
  await client.until('\r\n\r\n')
  answers[0]!.end('x')
  await proxy.line()

  assert.deepEqual(exchanges.map(({ flow }) => flow), [null])
})
