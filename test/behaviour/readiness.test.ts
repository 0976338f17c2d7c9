import assert from 'node:assert/strict'
import test from 'node:test'
import type { FastifyServerOptions } from 'fastify'
import { answer, blackhole, origin } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

const short: FastifyServerOptions = { pluginTimeout: 1000 }

test('an app is ready when its upstreams are known, however short the time is that Fastify gives a hook', async (t) => {
  let isUp = false
  const upstream = await origin(t, (request, response, n) => { answer(isUp || request.url !== '/up' ? 200 : 503)(request, response, n) })
  const timer = setTimeout(() => { isUp = true }, 1500)
  t.after(() => { clearTimeout(timer) })
  const health = { path: '/up', interval: 50, rise: 1, fall: 1000, waitForHealthy: 20_000 }

  const app = await start(t, { upstreams: { some: { endpoints: [upstream.url], health } }, routes: [{ url: '/*', upstream: 'some' }] }, { fastify: short })

  assert.equal(isUp, true)
  assert.equal(app.app.proxy.stats().upstreams['some']!.endpoints[0]!.health, 'healthy')
})

test('neither a check that never ends nor a connection that never stands fails the start', async (t) => {
  const hole = await blackhole(t)
  const other = await origin(t, answer(200))
  const upstreams = {
    checked: { endpoints: [hole.url], health: { interval: 1000, timeout: 1000, waitForHealthy: 1600 } },
    warm: { endpoints: [hole.url], pool: { warm: 1, connectTimeout: 1400 } }
  }

  const app = await start(t, { upstreams, routes: [{ url: '/*', upstream: other.url }] }, { fastify: short })

  assert.equal((await app.get('/x')).status, 200)
})

test('nothing bounds the wait where Fastify has no bound', async (t) => {
  const upstream = await origin(t, answer(200))
  const health = { path: '/up', interval: 50, waitForHealthy: 20_000 }

  const app = await start(t, { upstreams: { some: { endpoints: [upstream.url], health } }, routes: [{ url: '/*', upstream: 'some' }] }, { fastify: { pluginTimeout: 0 } })

  assert.equal(app.app.proxy.stats().upstreams['some']!.endpoints[0]!.health, 'healthy')
})
