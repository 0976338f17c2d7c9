import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fairly } from '../helpers/fair.ts'
import { answer, origin, reset } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

test('the only endpoint of an upstream is asked nothing more after failures in a row, then once, then as before', (t) => fairly(60, async () => {
  const upstream = await origin(t, reset(), reset(), reset(), answer(200, 'well'))
  const proxy = await start(t, {
    upstreams: { one: { endpoints: [upstream.url], outlier: false, breaker: { consecutiveFailures: 3, halfOpenAfter: 300, counts: 'all' } } },
    routes: [{ url: '/*', upstream: 'one', retry: false }]
  })
  for (let n = 0; n < 3; n++) assert.equal((await proxy.get('/x')).status, 502)

  const refused = await proxy.get('/x')
  assert.equal(refused.status, 503)
  assert.equal(refused.headers['retry-after'], '1')
  assert.match(String(refused.headers['proxy-status']), /error=destination_unavailable/)
  assert.equal(upstream.hits, 3)
  await proxy.line((line) => line['error'] === 'circuit_open')

  const { endpoints } = proxy.app.proxy.upstream('one')!.state
  while (endpoints[0]!.breaker !== 'half-open') await new Promise((resolve) => setTimeout(resolve, 10))
  assert.equal((await proxy.get('/x')).body, 'well')
  assert.equal(endpoints[0]!.breaker, 'closed')
  const told = proxy.logs.filter(({ event }) => event !== undefined)
  assert.deepEqual(told.map(({ level, msg, reason }) => [level, msg, reason]), [
    [40, 'breaker opened', 'consecutive-failures'],
    [30, 'breaker half-open', 'time'],
    [30, 'breaker closed', 'probes']
  ])
}))

test('answers are no failures, whatever their status', async (t) => {
  const upstream = await origin(t, answer(503, 'not now'))
  const proxy = await start(t, { upstreams: { one: { endpoints: [upstream.url] } }, routes: [{ url: '/*', upstream: 'one' }] })

  for (let n = 0; n < 12; n++) assert.equal((await proxy.get('/x')).body, 'not now')
})

test('a health check that finds the endpoint well again closes its breaker, however long that would stay open', async (t) => {
  let isWell = false
  const upstream = await origin(t, (req, res, n) => (isWell ? answer(200, 'well') : reset())(req, res, n))
  const proxy = await start(t, {
    upstreams: {
      one: { endpoints: [upstream.url], outlier: false, breaker: { consecutiveFailures: 3, halfOpenAfter: 600_000, counts: 'all' }, health: { path: '/up', interval: 100, fall: 1, rise: 1, waitForHealthy: 4000 } }
    },
    routes: [{ url: '/*', upstream: 'one', retry: false }]
  })
  for (let n = 0; n < 3; n++) assert.equal((await proxy.get('/x')).status, 502)
  const breaker = () => proxy.app.proxy.upstream('one')!.state.endpoints[0]!.breaker
  assert.equal(breaker(), 'open')

  isWell = true
  while (breaker() !== 'closed') await new Promise((resolve) => setTimeout(resolve, 10))

  assert.equal((await proxy.get('/x')).body, 'well')
})
