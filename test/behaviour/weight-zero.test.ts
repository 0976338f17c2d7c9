import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { EndpointStats, RetryOptions, UpstreamOptions } from '../../types/index.ts'
import { answer, origin, refusedPort, type Origin } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'
import { eventually } from '../helpers/until.ts'

interface Endpoints { proxy: Started, out: Origin, well: Origin }

/** An upstream of an endpoint of weight 0 and another one; requests to the first are counted by its origin. */
async function startBeside (t: TestContext, options: Omit<UpstreamOptions, 'endpoints'>, otherUrl?: string): Promise<Endpoints> {
  const [out, well] = [await origin(t, answer(200, 'out')), await origin(t, answer(200, 'well'))]
  const endpoints = [{ origin: out.url, weight: 0 }, { origin: otherUrl ?? well.url }]
  const retry = { attempts: 2, on: ['connect', 'reset', 503] } satisfies RetryOptions
  const proxy = await start(t, { upstreams: { pair: { endpoints, ...options } }, routes: [{ url: '/*', upstream: 'pair', retry }] })
  return { proxy, out, well }
}

const balancers: [string, NonNullable<UpstreamOptions['balancer']>][] = [
  ...(['power-of-two', 'round-robin', 'random', 'least-requests', 'peak-ewma'] as const).map((name): [string, typeof name] => [name, name]),
  ['hash', { name: 'hash', key: { header: 'x-user' } }],
  ['a balancer of the app', { pick: (available) => available[0]! }]
]

for (const [name, balancer] of balancers) {
  test(`${name} sends nothing to an endpoint of weight 0`, async (t) => {
    const { proxy, out, well } = await startBeside(t, { balancer })

    await Promise.all(Array.from({ length: 60 }, (_, user) => proxy.get('/x', { 'x-user': String(user) })))

    assert.deepEqual([out.hits, well.hits], [0, 60])
  })
}

test('neither a retry nor panic brings an endpoint of weight 0 back', async (t) => {
  const down = `http://127.0.0.1:${await refusedPort()}`
  const { proxy, out } = await startBeside(t, { outlier: { consecutiveFailures: 1, maxEjectedShare: 1 } }, down)

  for (let count = 0; count < 8; count++) assert.ok((await proxy.get('/x')).status >= 502)

  assert.equal(out.hits, 0)
  // The one beside it is the only one.
  assert.equal(proxy.app.proxy.stats().upstreams['pair']!.endpoints[1]!.isEjected, false)
})

test('an endpoint of weight 0 does not hold up the traffic of its priority, and the next gets nothing for it', async (t) => {
  const out = await origin(t, answer(200, 'out'))
  const first = await origin(t, answer(200, 'first'))
  const second = await origin(t, answer(200, 'second'))
  const endpoints = [{ origin: out.url, weight: 0 }, { origin: first.url }, { origin: second.url, priority: 1 }]
  const proxy = await start(t, { upstreams: { tiers: { endpoints } }, routes: [{ url: '/*', upstream: 'tiers' }] })

  for (let count = 0; count < 40; count++) await proxy.get('/x')

  assert.deepEqual([out.hits, first.hits, second.hits], [0, 40, 0])
})

test('health checks go on for an endpoint of weight 0', async (t) => {
  const { proxy } = await startBeside(t, { health: { interval: 20, timeout: 5000, path: '/up' } })
  const look = (): EndpointStats => proxy.app.proxy.stats().upstreams['pair']!.endpoints[0]!

  await eventually('three health checks', () => look().probes!.passed >= 3)

  const { health, isAvailable, weight, active } = look()
  assert.deepEqual([health, isAvailable, weight, active], ['healthy', false, 0, 0])
  assert.equal(proxy.app.proxy.explain({ url: '/x' }).endpoints[0]!.reason, 'weight 0')
})

test('where every endpoint has weight 0 requests are 503, and the log says so at start', async (t) => {
  const out = await origin(t, answer(200, 'out'))
  const well = await origin(t, answer(200, 'well'))
  const proxy = await start(t, {
    upstreams: {
      none: { endpoints: [{ origin: out.url, weight: 0 }, { origin: well.url, weight: 0 }] },
      some: { endpoints: [{ origin: out.url, weight: 0 }, well.url] }
    },
    routes: [{ url: '/none', upstream: 'none' }, { url: '/canary', upstream: 'some', canary: { upstream: 'none', weight: 100 } }]
  })

  const warnings = proxy.logs.filter(({ level }) => level === 40)
  const message = 'every endpoint of the upstream has weight 0: its requests are answered with 503'
  assert.deepEqual(warnings.map(({ upstream, msg }) => [upstream, msg]), [['none', message]])
  const { status, body } = await proxy.get('/none')
  assert.deepEqual([status, (JSON.parse(body) as { code: string }).code], [503, 'FST_SLUICE_NO_HEALTHY_UPSTREAM'])
  assert.equal((await proxy.get('/canary')).body, 'well')
  assert.equal(out.hits, 0)
  const stats = proxy.app.proxy.stats().upstreams['none']!
  assert.deepEqual([stats.available, stats.isPanic], [0, false])
  assert.equal(proxy.app.proxy.explain({ url: '/none' }).refusal?.error, 'no_healthy_upstream')
})
