import assert from 'node:assert/strict'
import { channel } from 'node:diagnostics_channel'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { answer, origin, refusedPort } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'
import { socketFolder, unixDoor } from '../helpers/unix.ts'

interface Data {
  descriptor: { name: string, unit: string }
  dataPointType: number
  isMonotonic?: boolean
  dataPoints: { attributes: Record<string, string | number>, value: any, startTime: [number, number], endTime: [number, number] }[]
}

interface Reader {
  forceFlush (): Promise<void>
  shutdown (): Promise<void>
}

const sdk = createRequire(import.meta.url)('@opentelemetry/sdk-metrics') as {
  MeterProvider: new (options: { readers: Reader[] }) => { shutdown (): Promise<void> }
  PeriodicExportingMetricReader: new (options: object) => Reader
  InMemoryMetricExporter: new (temporality: number) => { getMetrics (): { scopeMetrics: { scope: { name: string }, metrics: Data[] }[] }[] }
}

/** What an SDK with our producer exports. */
async function exporting (t: TestContext, proxy: Started): Promise<{ flush: () => Promise<Map<string, Data>> }> {
  const exporter = new sdk.InMemoryMetricExporter(1)
  const reader = new sdk.PeriodicExportingMetricReader({ exporter, metricProducers: [proxy.app.proxy.metrics.producer()], exportIntervalMillis: 3_600_000 })
  const provider = new sdk.MeterProvider({ readers: [reader] })
  t.after(() => provider.shutdown())
  return {
    async flush () {
      await reader.forceFlush()
      const scope = exporter.getMetrics().at(-1)!.scopeMetrics.find(({ scope }) => scope.name === 'fastify-sluice')!
      return new Map(scope.metrics.map((data) => [data.descriptor.name, data]))
    }
  }
}

test('an OpenTelemetry SDK exports what is counted, under dotted names, as sums, gauges and histograms', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const proxy = await start(t, { upstreams: { a: upstream.url }, routes: [{ url: '/', upstream: 'a' }] })
  const { flush } = await exporting(t, proxy)
  for (let index = 0; index < 2; index++) await proxy.get('/')
  for (let index = 0; index < 2; index++) await proxy.line()

  const metrics = await flush()

  const requests = metrics.get('sluice.requests')!
  assert.deepEqual([requests.dataPointType, requests.isMonotonic], [3, true])
  const [point] = requests.dataPoints
  assert.deepEqual([point!.value, point!.attributes], [2, { route: '/', upstream: 'a', variant: 'stable', method: 'GET', code: '200', error: '' }])
  assert.ok(point!.startTime[0] * 1e9 + point!.startTime[1] < point!.endTime[0] * 1e9 + point!.endTime[1])
  const duration = metrics.get('sluice.request.duration')!
  assert.deepEqual([duration.dataPointType, duration.descriptor.unit], [0, 's'])
  const { buckets, count, sum } = duration.dataPoints[0]!.value
  assert.equal(count, 2)
  assert.ok(sum > 0 && sum < 5)
  assert.deepEqual(buckets.boundaries, [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10])
  assert.equal(buckets.counts.length, buckets.boundaries.length + 1)
  assert.equal(buckets.counts.reduce((a: number, b: number) => a + b), 2)
  assert.equal(metrics.get('sluice.upstream.active.requests')!.dataPointType, 2)
})

test('the stable names of the semantic conventions are there, per attempt', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'), answer(404, 'no'))
  const port = await refusedPort()
  const proxy = await start(t, {
    upstreams: { a: upstream.url, again: upstream.url, down: `http://127.0.0.1:${port}` },
    routes: [{ url: '/a', upstream: 'a' }, { url: '/again', upstream: 'again' }, { url: '/down', upstream: 'down' }]
  })
  const { flush } = await exporting(t, proxy)
  await proxy.get('/a')
  await proxy.request('/a', { method: 'DELETE' })
  await proxy.request('/again', { method: 'DELETE' })
  await proxy.get('/down')
  for (let index = 0; index < 4; index++) await proxy.line()

  const metrics = await flush()

  const durations = metrics.get('http.client.request.duration')!
  assert.equal(durations.descriptor.unit, 's')
  const where = { 'server.address': '127.0.0.1' }
  assert.deepEqual(durations.dataPoints.map(({ attributes, value }) => [attributes, value.count]), [
    [{ ...where, 'server.port': upstream.port, 'http.request.method': 'GET', 'http.response.status_code': 200 }, 1],
    [{ ...where, 'server.port': upstream.port, 'http.request.method': 'DELETE', 'http.response.status_code': 404, 'error.type': '404' }, 2],
    [{ ...where, 'server.port': port, 'http.request.method': 'GET', 'error.type': 'connection_refused' }, 2]
  ])
  const open = metrics.get('http.client.open_connections')!
  assert.deepEqual([open.dataPointType, open.isMonotonic], [3, false])
  assert.deepEqual(open.dataPoints.find(({ attributes }) => attributes['server.port'] === upstream.port && attributes['http.connection.state'] === 'idle')!.value, 1)
  assert.equal(metrics.get('http.client.active_requests')!.dataPoints.length, 2)
})

test('a Unix socket is a server by its path, without a port', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const door = await unixDoor(t, join(await socketFolder(t), 'app.sock'), upstream.port)
  const proxy = await start(t, { upstreams: { a: door.url }, routes: [{ url: '/a', upstream: 'a' }] })
  const { flush } = await exporting(t, proxy)
  await proxy.get('/a')
  await proxy.line()

  const metrics = await flush()

  const [point] = metrics.get('http.client.request.duration')!.dataPoints
  assert.deepEqual(point!.attributes, { 'server.address': door.path, 'http.request.method': 'GET', 'http.response.status_code': 200 })
  assert.deepEqual(metrics.get('http.client.active_requests')!.dataPoints.map(({ attributes }) => attributes), [{ 'server.address': door.path }])
})

test('where something instruments undici, the duration that it measures itself is left to it', async (t) => {
  const listen = (): void => {}
  channel('undici:request:create').subscribe(listen)
  t.after(() => channel('undici:request:create').unsubscribe(listen))
  const upstream = await origin(t, answer(200, 'ok'))
  const proxy = await start(t, { upstreams: { a: upstream.url }, routes: [{ url: '/', upstream: 'a' }] })
  const { flush } = await exporting(t, proxy)
  await proxy.get('/')
  await proxy.line()

  const metrics = await flush()

  assert.equal(metrics.has('http.client.request.duration'), false)
  assert.equal(metrics.has('http.client.open_connections'), true)
})

test('a broken exporter changes nothing for clients', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const proxy = await start(t, { upstreams: { a: upstream.url }, routes: [{ url: '/', upstream: 'a' }] })
  const broken = {
    export () { throw new Error('no') },
    forceFlush: async () => { throw new Error('no') },
    shutdown: async () => {}
  }
  const reader = new sdk.PeriodicExportingMetricReader({ exporter: broken, metricProducers: [proxy.app.proxy.metrics.producer()], exportIntervalMillis: 10, exportTimeoutMillis: 10 })
  const provider = new sdk.MeterProvider({ readers: [reader] })
  t.after(() => provider.shutdown().catch(() => {}))

  for (let index = 0; index < 20; index++) assert.equal((await proxy.get('/')).status, 200)
})
