import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { test } from 'node:test'
import type { UpstreamEvent } from '../../types/index.ts'
import { answer, hang, origin } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

test('an endpoint that always answers 503 is found out after five, and told of', async (t) => {
  const events: UpstreamEvent[] = []
  const listen = (event: unknown): void => { events.push(event as UpstreamEvent) }
  subscribe('sluice:ejected', listen)
  t.after(() => unsubscribe('sluice:ejected', listen))
  const sick = await origin(t, answer(503))
  const well = await Promise.all([origin(t, answer(200)), origin(t, answer(200))])
  const proxy = await start(t, { upstreams: { some: { endpoints: [sick.url, ...well.map(({ url }) => url)], balancer: 'round-robin' } }, routes: [{ url: '/*', upstream: 'some' }] })

  const statuses: number[] = []
  for (let count = 0; count < 60; count++) statuses.push((await proxy.get('/')).status)

  assert.equal(statuses.filter((status) => status === 503).length, 5)
  assert.equal(sick.hits, 5)
  assert.deepEqual(events.map(({ name, endpoint, reason }) => [name, endpoint!.origin, reason]), [['ejected', sick.url, 'consecutive-failures']])
  const { level, event, upstream, endpoint, reason, available, endpoints: all } = await proxy.line('endpoint ejected')
  assert.deepEqual([level, event, upstream, endpoint, reason, available, all], [40, 'ejected', 'some', sick.url, 'consecutive-failures', 2, 3])
  const { endpoints } = proxy.app.proxy.stats().upstreams['some']!
  assert.deepEqual(endpoints.map(({ isEjected }) => isEjected), [true, false, false])
  assert.ok(endpoints[0]!.ejectedFor > 25_000)
})

test('with `outlier: false` nobody is ejected', async (t) => {
  const sick = await origin(t, answer(503))
  const well = await origin(t, answer(200))
  const proxy = await start(t, { upstreams: { some: { endpoints: [sick.url, well.url], balancer: 'round-robin', outlier: false } }, routes: [{ url: '/*', upstream: 'some' }] })
  for (let count = 0; count < 20; count++) await proxy.get('/')
  assert.equal(proxy.app.proxy.stats().upstreams['some']!.endpoints[0]!.isEjected, false)
})

test('500s, and clients that leave, eject nobody', async (t) => {
  const faulty = await origin(t, (req, res, n) => (req.url === '/slow' ? hang() : answer(500))(req, res, n))
  const well = await origin(t, answer(200))
  const proxy = await start(t, { upstreams: { some: { endpoints: [faulty.url, well.url], balancer: 'round-robin' } }, routes: [{ url: '/*', upstream: 'some' }] })
  for (let count = 0; count < 20; count++) await proxy.get('/')
  for (let count = 0; count < 12; count++) {
    const leaving = new AbortController()
    const answered = fetch(`${proxy.url}/slow`, { signal: leaving.signal }).then((response) => response.arrayBuffer(), () => {})
    setTimeout(() => leaving.abort(), 20)
    await answered
  }
  assert.equal(proxy.app.proxy.stats().upstreams['some']!.endpoints[0]!.isEjected, false)
})
