import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { UpstreamOptions } from '../../types/index.ts'
import { Scrape } from '../helpers/metrics.ts'
import { answer, origin, rawOrigin, refusedPort, speak, tlsOrigin } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'
import { ca, otherCa, server } from '../helpers/tls.ts'
import { patience } from '../helpers/until.ts'

function to (t: TestContext, upstream: UpstreamOptions): Promise<Started> {
  return start(t, { upstreams: { a: upstream }, routes: [{ url: '/', upstream: 'a' }] })
}

async function scrape ({ app }: Started): Promise<Scrape> {
  return new Scrape(await app.proxy.metrics.prometheus())
}

/** Asks until it is so: a socket's end comes when it comes. */
async function until (proxy: Started, metric: string, expected: Record<string, number>): Promise<void> {
  const deadline = performance.now() + patience
  let seen = {}
  while (performance.now() < deadline) {
    seen = (await scrape(proxy)).of(metric)
    if (JSON.stringify(seen) === JSON.stringify(expected)) return
    await new Promise(resolve => setTimeout(resolve, 10))
  }
  assert.deepEqual(seen, expected)
}

test('connections are counted when they are made, and shown while they are open', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const proxy = await to(t, { endpoints: [upstream.url] })
  for (let index = 0; index < 3; index++) await proxy.get('/')

  await until(proxy, 'sluice_upstream_connections_opened_total', { '{upstream="a"}': 1 })
  await until(proxy, 'sluice_upstream_connections', { [`{upstream="a",endpoint="${upstream.url}",state="idle"}`]: 1 })
})

test('an exchange under way is active, and its connection too', async (t) => {
  const upstream = await origin(t, (req, res) => { req.resume(); res.write('half') })
  const proxy = await to(t, { endpoints: [upstream.url], pool: { connections: 4 } })
  proxy.get('/').catch(() => {})
  await upstream.arrived(1)

  await until(proxy, 'sluice_upstream_active_requests', { [`{upstream="a",endpoint="${upstream.url}"}`]: 1 })
  await until(proxy, 'sluice_upstream_connections', { [`{upstream="a",endpoint="${upstream.url}",state="active"}`]: 1 })
  await until(proxy, 'sluice_upstream_pool_saturation_ratio', { '{upstream="a"}': 0.25 })
})

for (const [reason, options, then] of [
  ['idle', { keepAliveTimeout: 1 }, async () => {}],
  ['upstream', {}, async (upstream: { sockets: Map<{ end: () => void }, number> }) => { for (const socket of upstream.sockets.keys()) socket.end() }],
  ['error', {}, async (upstream: { sockets: Map<{ resetAndDestroy: () => void }, number> }) => { for (const socket of upstream.sockets.keys()) socket.resetAndDestroy() }]
] as const) {
  test(`a connection that ends is counted as ended by: ${reason}`, async (t) => {
    const upstream = await origin(t, answer(200, 'ok'))
    const proxy = await to(t, { endpoints: [upstream.url], pool: options })
    await proxy.get('/')
    await then(upstream as never)

    await until(proxy, 'sluice_upstream_connections_closed_total', { [`{upstream="a",reason="${reason}"}`]: 1 })
  })
}

test('a connection that the upstream announced to close is closed by the upstream', async (t) => {
  const upstream = await rawOrigin(t, speak((n) => n === 1 ? 'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok' : ''))
  const proxy = await to(t, { endpoints: [upstream.url] })
  await proxy.get('/')
  await until(proxy, 'sluice_upstream_connections_closed_total', { '{upstream="a",reason="upstream"}': 1 })
})

test('a connection that cannot be made is counted with its word', async (t) => {
  const proxy = await to(t, { endpoints: [`http://127.0.0.1:${await refusedPort()}`] })
  await proxy.get('/')

  const seen = (await scrape(proxy)).of('sluice_upstream_connect_failures_total')
  assert.deepEqual(Object.keys(seen), ['{upstream="a",error="connection_refused"}'])
})

test('TLS handshakes that fail are counted by why, sessions that are resumed too', async (t) => {
  const upstream = await tlsOrigin(t, server, answer(200, 'ok', { connection: 'close' }))
  const trusting = await to(t, { endpoints: [upstream.url], pool: { tls: { ca } } })
  const wary = await to(t, { endpoints: [upstream.url], pool: { tls: { ca: otherCa } } })
  assert.equal((await wary.get('/')).status, 502)
  for (let index = 0; index < 3; index++) assert.equal((await trusting.get('/')).status, 200)

  assert.deepEqual(Object.keys((await scrape(wary)).of('sluice_upstream_tls_handshake_failures_total')), ['{upstream="a",reason="tls_certificate_error"}'])
  assert.deepEqual((await scrape(trusting)).of('sluice_upstream_tls_handshake_failures_total'), {})
  assert.ok((await scrape(trusting)).sum('sluice_upstream_tls_sessions_reused_total') >= 1)
})

test('a pool that two upstreams share is seen by both, and asked once by each', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const proxy = await start(t, {
    upstreams: { a: [upstream.url, `${upstream.url}/base`], b: upstream.url },
    routes: [{ url: '/a', upstream: 'a' }, { url: '/b', upstream: 'b' }]
  })
  await proxy.get('/a')

  assert.deepEqual((await scrape(proxy)).of('sluice_upstream_connections_opened_total'), { '{upstream="a"}': 1, '{upstream="b"}': 1 })
})
