import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Scrape } from '../helpers/metrics.ts'
import { answer, gated, origin, type Origin } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'
import { later } from '../helpers/until.ts'

async function until (proxy: Started, what: string, look: (scrape: Scrape) => boolean): Promise<Scrape> {
  const deadline = performance.now() + 5000
  for (;;) {
    const scrape = new Scrape(await proxy.app.proxy.metrics.prometheus())
    if (look(scrape)) return scrape
    assert.ok(performance.now() < deadline, `${what}, got ${scrape.text.match(/^sluice_(endpoint|outlier|health).*$/gm)?.join('\n')}`)
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

test('health checks and what comes of them are seen', async (t) => {
  const [well, sick] = [await origin(t, answer(200)), await origin(t, answer(500))]
  const proxy = await start(t, {
    // A check has as long as the interval unless told otherwise: 20 ms, which a busy machine may need to answer one that is well.
    upstreams: { a: { endpoints: [well.url, sick.url], health: { interval: 20, timeout: 5000, fall: 1, rise: 1 } } },
    routes: [{ url: '/', upstream: 'a' }]
  })
  const up = ({ url }: Origin) => `sluice_endpoint_up{upstream="a",endpoint="${url}"}`
  const checks = ({ url }: Origin, result: string) => `sluice_health_checks_total{upstream="a",endpoint="${url}",result="${result}"}`
  const scrape = await until(proxy, 'a check of each', (scrape) => scrape.value(checks(well, 'success'))! >= 1 && scrape.value(checks(sick, 'failure'))! >= 1)

  assert.equal(scrape.value('sluice_endpoints{upstream="a",state="unhealthy"}'), 1)
  assert.equal(scrape.value(up(well)), 1)
  assert.equal(scrape.value(up(sick)), 0)
  assert.equal(scrape.value(checks(well, 'failure')), 0)
  assert.equal(scrape.value(checks(sick, 'success')), 0)
})

test('an ejection is counted with its reason, and its endpoint is not up', async (t) => {
  const [well, sick] = [await origin(t, answer(200)), await origin(t, answer(503))]
  const proxy = await start(t, {
    upstreams: { a: { endpoints: [well.url, sick.url], balancer: 'round-robin', outlier: { consecutiveFailures: 2 } } },
    routes: [{ url: '/', upstream: 'a' }]
  })
  for (let index = 0; index < 8; index++) await proxy.get('/')
  const scrape = await until(proxy, 'an ejection', (scrape) => scrape.sum('sluice_outlier_ejections_total') === 1)

  assert.equal(scrape.value('sluice_endpoints{upstream="a",state="ejected"}'), 1)
  assert.equal(scrape.value(`sluice_endpoint_up{upstream="a",endpoint="${sick.url}"}`), 0)
  // A few words of ours, and none of a request's.
  assert.match(Object.keys(scrape.of('sluice_outlier_ejections_total'))[0]!, /^\{upstream="a",reason="[a-z -]+"\}$/)
})

test('who waits for a turn is pending, and its wait is in the queue', async (t) => {
  // However long it takes to see the one that waits: it waits for the other, which is held until then.
  const gate = gated()
  const upstream = await origin(t, gate.step)
  const proxy = await start(t, {
    upstreams: { a: { endpoints: [upstream.url], limits: { active: 1 } } },
    routes: [{ url: '/', upstream: 'a' }]
  })
  const both = Promise.all([proxy.get('/'), proxy.get('/')])
  const waiting = await until(proxy, 'one that waits', (scrape) => scrape.sum('sluice_upstream_pending_requests') === 1)
  const seenAt = performance.now()
  // One of one that may be active.
  assert.ok(waiting.sum('sluice_upstream_pool_saturation_ratio') >= 1)
  await new Promise(resolve => { later(() => resolve(null), 50) })
  const waited = (performance.now() - seenAt) / 1000
  gate.release()
  await both

  const scrape = await until(proxy, 'both over', (scrape) => scrape.sum('sluice_requests_total') === 2)
  assert.ok(scrape.sum('sluice_upstream_queue_duration_seconds_sum') >= waited)
  assert.equal(scrape.sum('sluice_upstream_queue_duration_seconds_count'), 2)
})
