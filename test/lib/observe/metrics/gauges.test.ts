import assert from 'node:assert/strict'
import test from 'node:test'
import { ProxyEndpoint } from '../../../../lib/model/endpoint.ts'
import { readOrigin } from '../../../../lib/model/origin.ts'
import { countOrigins, type OriginCounts } from '../../../../lib/observe/metrics/gauges.ts'
import { printed, textOf } from '../../../../lib/observe/metrics/prometheus.ts'
import { Recorder } from '../../../../lib/observe/metrics/recorder.ts'
import type { Endpoint, Upstream } from '../../../../types/model.ts'
import { Scrape } from '../../../helpers/metrics.ts'
import { attemptOf, endpointAt, exchangeWith, upstreamOf } from '../../samples.ts'

function pooled (url: string, { busy = 0, idle = 0, warm = 0, queued = 0 }, active: number): Endpoint {
  const endpoint = new ProxyEndpoint(readOrigin(url), { ...endpointAt(url), host: null, connections: 10 }, { connections: { busy, idle, warm, opening: 0 }, stats: { queued } } as unknown as Endpoint['pool'])
  endpoint.active = active
  return endpoint
}

async function read (upstream: Upstream, recorder: Recorder = new Recorder('7')): Promise<Scrape> {
  recorder.onUpstream(upstream)
  return new Scrape(await textOf(await printed(recorder)))
}

test('connections are active or idle, requests under way or waiting', async () => {
  const scrape = await read(upstreamOf('a', [pooled('http://10.0.0.1:1', { busy: 3, idle: 1, warm: 1, queued: 2 }, 5), pooled('http://10.0.0.2:1', { busy: 1 }, 8)]))

  assert.deepEqual(scrape.of('sluice_upstream_connections'), {
    '{upstream="a",endpoint="http://10.0.0.1:1",state="active"}': 3,
    '{upstream="a",endpoint="http://10.0.0.1:1",state="idle"}': 2,
    '{upstream="a",endpoint="http://10.0.0.2:1",state="active"}': 1
  })
  assert.deepEqual(scrape.of('sluice_upstream_pending_requests'), { '{upstream="a"}': 2 })
  assert.equal(scrape.sum('sluice_upstream_active_requests'), 13)
  assert.equal(scrape.sum('sluice_upstream_pool_saturation_ratio'), 13 / 20)
})

test('endpoints of one name are one, and a pool that they share counts once', async () => {
  const one = pooled('http://10.0.0.1:1', { busy: 3, idle: 2, queued: 2 }, 1)
  const scrape = await read(upstreamOf('a', [one, one]))

  assert.equal(scrape.sum('sluice_upstream_active_requests'), 2)
  assert.equal(scrape.sum('sluice_upstream_pending_requests'), 2)
  assert.equal(scrape.sum('sluice_upstream_connections'), 5)
  const counts = new Map<string, OriginCounts>()
  for (const name of ['a', 'b']) countOrigins(upstreamOf(name, [one, one]), counts)
  assert.deepEqual([...counts.values()].map(({ pools, ...rest }) => rest), [{ address: '10.0.0.1', port: 1, busy: 3, idle: 2, active: 4 }])
})

test('an endpoint is in one state, and up where it may be chosen', async () => {
  const [well, ejected, sick] = ['http://10.0.0.1:1', 'http://10.0.0.2:1', 'http://10.0.0.3:1'].map((url) => endpointAt(url)) as [Endpoint, Endpoint, Endpoint]
  ejected.ejectedUntil = Infinity
  sick.health = 'unhealthy'
  sick.breaker = 'half-open'
  const scrape = await read(upstreamOf('a', [well, ejected, sick], [well]))

  assert.deepEqual(scrape.of('sluice_endpoints'), { '{upstream="a",state="healthy"}': 1, '{upstream="a",state="ejected"}': 1, '{upstream="a",state="unhealthy"}': 1, '{upstream="a",state="total"}': 3 })
  assert.deepEqual(scrape.of('sluice_endpoint_up'), { '{upstream="a",endpoint="http://10.0.0.1:1"}': 1 })
  assert.deepEqual(scrape.of('sluice_circuit_breaker_state'), { '{upstream="a",endpoint="http://10.0.0.3:1"}': 1 })
})

test('waiting makes saturation steeper: by a third of the wait in relation to the p95 of the answers', async () => {
  const endpoint = pooled('http://10.0.0.1:1', { busy: 5 }, 5)
  const upstream = upstreamOf('a', [endpoint])
  const recorder = new Recorder('7')
  // p95 of these is 0.975 of the bucket from 5 to 7.5 ms; each has waited as long.
  const wait = 7.375
  for (let index = 0; index < 100; index++) recorder.onAttempt(attemptOf(exchangeWith(), { endpoint, startedAt: 0, sentAt: wait, headAt: wait + 7, endedAt: 20 }))
  recorder.upstreams.set('a', Object.assign(recorder.upstreams.get('orders')!, { upstream }))
  recorder.upstreams.delete('orders')
  const ratio = (await read(upstream, recorder)).value('sluice_upstream_pool_saturation_ratio{upstream="a"}')!

  assert.ok(Math.abs(ratio - 0.5 * 1.3) < 0.001, String(ratio))
})
