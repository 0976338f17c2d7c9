import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import type { MetricsRegistry } from '../../types/index.ts'
import { Scrape } from '../helpers/metrics.ts'
import { answer, origin } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

interface Registry extends MetricsRegistry {
  metrics (): Promise<string>
  getMetricsAsJSON (): Promise<object[]>
  resetMetrics (): void
}

interface Client {
  Registry: { new (): Registry, PROMETHEUS_CONTENT_TYPE: string }
  Counter: new (options: object) => { inc (): void }
  AggregatorRegistry: { aggregate (metrics: object[][]): Registry }
}

const load = createRequire(import.meta.url)

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
