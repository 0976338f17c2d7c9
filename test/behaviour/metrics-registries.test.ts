import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test, type TestContext } from 'node:test'
import type { MetricsRegistry } from '../../types/index.ts'
import { Scrape } from '../helpers/metrics.ts'
import { answer, origin } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'

interface Registry extends MetricsRegistry {
  metrics (): Promise<string>
  clear (): void
  getSingleMetric (name: string): unknown
  removeSingleMetric (name: string): void
  getMetricsAsArray (): { name: string }[]
  getMetricsAsJSON (): Promise<object[]>
  resetMetrics (): void
}

interface Client {
  Registry: { new (contentType?: string): Registry, PROMETHEUS_CONTENT_TYPE: string, OPENMETRICS_CONTENT_TYPE: string }
  Counter: new (options: object) => { inc (): void }
  AggregatorRegistry: { aggregate (metrics: object[][]): Registry }
}

const load = createRequire(import.meta.url)

/** An app of one upstream, in a registry, that has answered so many requests. */
async function appIn (t: TestContext, registry: Registry, name: string, requests: number, route: string = '/x'): Promise<Started> {
  const upstream = await origin(t, answer(200, 'ok'))
  const proxy = await start(t, { upstreams: { [name]: upstream.url }, routes: [{ url: route, upstream: name }] })
  proxy.app.proxy.metrics.register(registry)
  for (let count = 0; count < requests; count++) await proxy.get(route)
  for (let count = 0; count < requests; count++) await proxy.line()
  return proxy
}

/** Requests by upstream; throws where a series is there twice. */
async function requestsIn (registry: Registry): Promise<Record<string, number>> {
  const found: Record<string, number> = {}
  const requests = new Scrape(await registry.metrics()).of('sluice_requests_total')
  for (const [labels, count] of Object.entries(requests)) found[/upstream="([^"]*)"/.exec(labels)![1]!] = count
  return found
}

function namesIn (registry: Registry): string[] {
  return registry.getMetricsAsArray().map(({ name }) => name).filter((name) => name.startsWith('sluice_'))
}

for (const name of ['prom-client', '@prometheus-io/client']) {
  test(`a registry of ${name} has our metrics beside its own, with the same values`, async (t) => {
    const client = load(name) as Client
    const registry = new client.Registry()
    new client.Counter({ name: 'own_total', help: 'h', registers: [registry] }).inc()
    const upstream = await origin(t, answer(200, 'ok'))
    const proxy = await start(t, { upstreams: { 'a"\\b': upstream.url }, routes: [{ url: '/x/*', upstream: 'a"\\b' }] })
    proxy.app.proxy.metrics.register(registry)
    for (let index = 0; index < 3; index++) await proxy.get('/x/1')
    for (let index = 0; index < 3; index++) await proxy.line()

    const theirs = new Scrape(await registry.metrics())
    const ours = new Scrape(await proxy.app.proxy.metrics.prometheus())

    assert.equal(theirs.value('own_total'), 1)
    assert.deepEqual(theirs.of('sluice_requests_total'), { '{route="/x/*",upstream="a\\"\\\\b",variant="stable",method="GET",code="200",error=""}': 3 })
    for (const metric of ['sluice_requests_total', 'sluice_upstream_attempts_total', 'sluice_response_bytes_total', 'sluice_endpoints', 'sluice_build_info']) {
      assert.deepEqual(theirs.of(metric), ours.of(metric), metric)
    }
    for (const part of ['bucket', 'count', 'sum']) assert.equal(theirs.sum(`sluice_request_duration_seconds_${part}`), ours.sum(`sluice_request_duration_seconds_${part}`))
    assert.deepEqual(theirs.names.filter((name) => name !== 'own_total'), ours.names)
  })

  test(`what several processes have in registries of ${name} is added up by it`, async (t) => {
    const client = load(name) as Client
    const registry = new client.Registry()
    const upstream = await origin(t, answer(200, 'ok'))
    const proxy = await start(t, { upstreams: { a: upstream.url }, routes: [{ url: '/', upstream: 'a' }] })
    proxy.app.proxy.metrics.register(registry)
    await proxy.get('/')
    await proxy.line()
    const one = await registry.getMetricsAsJSON()

    const both = new Scrape(await client.AggregatorRegistry.aggregate([one, structuredClone(one)]).metrics())

    assert.equal(both.sum('sluice_requests_total'), 2)
    assert.equal(both.sum('sluice_request_duration_seconds_count'), 2)
    // What is true of each is true of all.
    assert.equal(both.sum('sluice_endpoint_up'), 1)
    assert.equal(both.sum('sluice_config_last_reload_successful'), 1)
  })

  test(`several apps may be in one registry of ${name}, each until it closes`, async (t) => {
    const registry = new (load(name) as Client).Registry()
    const first = await appIn(t, registry, 'first', 1)
    const second = await appIn(t, registry, 'second', 2)
    assert.deepEqual(await requestsIn(registry), { first: 1, second: 2 })
    assert.ok(![...first.logs, ...second.logs].some(({ level }) => level >= 40))

    first.app.proxy.metrics.register(registry)
    assert.deepEqual(await requestsIn(registry), { first: 1, second: 2 }, 'twice is once')

    await first.app.close()
    assert.deepEqual(await requestsIn(registry), { second: 2 })
    await second.app.close()
    assert.deepEqual(namesIn(registry), [])
    first.app.proxy.metrics.register(registry)
    assert.deepEqual(namesIn(registry), [], 'an app that has closed has nothing to register')

    const third = await appIn(t, registry, 'third', 3)
    assert.deepEqual(await requestsIn(registry), { third: 3 })
    await third.app.close()
  })

  test(`what several apps have alike is one series in a registry of ${name}, put together as between workers`, async (t) => {
    const registry = new (load(name) as Client).Registry()
    const one = await appIn(t, registry, 'same', 1)
    const other = await appIn(t, registry, 'same', 2)

    const both = new Scrape(await registry.metrics())

    assert.equal(both.sum('sluice_requests_total'), 3)
    assert.equal(both.sum('sluice_request_duration_seconds_count'), 3)
    const buckets = Object.entries(both.of('sluice_request_duration_seconds_bucket')).filter(([labels]) => labels.includes('le="+Inf"'))
    assert.deepEqual(buckets.map(([, count]) => count), [3])
    assert.equal(both.sum('sluice_response_bytes_total'), 6)
    assert.equal(both.sum('sluice_config_last_reload_successful'), 1)
    assert.equal(both.sum('sluice_build_info'), 1)
    assert.equal(both.value('sluice_endpoints{upstream="same",state="total"}'), 1)

    // Sums again where one has gone.
    await one.app.close()
    assert.equal(new Scrape(await registry.metrics()).sum('sluice_requests_total'), 2)
    await other.app.close()
  })

  test(`a registry of ${name} that was cleared has forgotten its apps, and takes others`, async (t) => {
    const registry = new (load(name) as Client).Registry()
    const first = await appIn(t, registry, 'first', 1)
    registry.clear()
    assert.deepEqual(namesIn(registry), [])

    const second = await appIn(t, registry, 'second', 2)
    assert.deepEqual(await requestsIn(registry), { second: 2 })
    await first.app.close()
    assert.deepEqual(await requestsIn(registry), { second: 2 })
    const third = await appIn(t, registry, 'third', 1)
    registry.clear()
    third.app.proxy.metrics.register(registry)
    assert.deepEqual(await requestsIn(registry), { third: 1 })
    registry.clear()
    new (load(name) as Client).Counter({ name: 'sluice_requests_total', help: 'h', registers: [registry] }).inc()
    await third.app.close()
    assert.deepEqual(namesIn(registry), ['sluice_requests_total'], 'what is not ours stays')
    await second.app.close()
  })

  test(`a metric that was taken out of a registry of ${name} is left out, until somebody registers`, async (t) => {
    const registry = new (load(name) as Client).Registry()
    const first = await appIn(t, registry, 'first', 1)
    registry.removeSingleMetric('sluice_requests_total')
    await appIn(t, registry, 'second', 2)

    assert.deepEqual(await requestsIn(registry), { second: 2 })
    assert.equal(new Scrape(await registry.metrics()).sum('sluice_response_bytes_total'), 6)
    await first.app.close()
  })

  test(`a registry of ${name} that speaks OpenMetrics has each counter by its name, however often it is read`, async (t) => {
    const { Registry } = load(name) as Client
    const registry = new Registry(Registry.OPENMETRICS_CONTENT_TYPE)
    await appIn(t, registry, 'first', 1)
    await registry.metrics()
    await appIn(t, registry, 'second', 2)

    const text = await registry.metrics()
    assert.deepEqual(await requestsIn(registry), { first: 1, second: 2 })
    assert.equal(text.match(/^# TYPE sluice_requests counter$/gm)?.length, 1)
    assert.doesNotMatch(text, /_total_total/)
  })

  test(`resetting a registry of ${name} resets none of ours`, async (t) => {
    const client = load(name) as Client
    const registry = new client.Registry()
    const upstream = await origin(t, answer(200, 'ok'))
    const proxy = await start(t, { upstreams: { a: upstream.url }, routes: [{ url: '/', upstream: 'a' }] })
    proxy.app.proxy.metrics.register(registry)
    await proxy.get('/')
    await proxy.line()
    registry.resetMetrics()

    assert.equal(new Scrape(await registry.metrics()).sum('sluice_requests_total'), 1)
  })
}

test('a registry that throws is told of in the log, and changes nothing for clients', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const taken: string[] = []
  const proxy = await start(t, { upstreams: { a: upstream.url }, routes: [{ url: '/', upstream: 'a' }] })
  proxy.app.proxy.metrics.register({
    registerMetric ({ name }: { name: string }) {
      if (name === 'sluice_requests_total') throw new Error('has been registered')
      taken.push(name)
    }
  })

  assert.equal((await proxy.get('/')).status, 200)
  const line = await proxy.line('a metric could not be registered')
  assert.deepEqual([line.level, line['metric'], line['err'].message], [40, 'sluice_requests_total', 'has been registered'])
  // The others are not to suffer from it.
  assert.ok(taken.length > 30)
})

test('of a registry that cannot take anything out, what an app had is empty once it has closed', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const proxy = await start(t, { upstreams: { a: upstream.url }, routes: [{ url: '/', upstream: 'a' }] })
  const taken: { name: string, get (): Promise<{ values: object[] }> }[] = []
  proxy.app.proxy.metrics.register({ registerMetric: (metric) => { taken.push(metric) } })
  const requests = taken.find(({ name }) => name === 'sluice_config_info')!
  assert.equal((await requests.get()).values.length, 1)

  await proxy.app.close()
  assert.equal((await requests.get()).values.length, 0)
})

test('a registry that throws while an app closes does not keep it from closing', async (t) => {
  const proxy = await start(t, { upstreams: { a: 'http://127.0.0.1:1' }, routes: [{ url: '/', upstream: 'a' }] })
  const taken = new Map<string, unknown>()
  proxy.app.proxy.metrics.register({
    registerMetric: (metric: { name: string }) => { taken.set(metric.name, metric) },
    getSingleMetric: (name) => taken.get(name),
    removeSingleMetric: () => { throw new Error('not now') }
  })

  await proxy.app.close()
})
