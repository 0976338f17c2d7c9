import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { ProxyOptions } from '../../types/index.ts'
import { connect } from '../helpers/client.ts'
import { Scrape } from '../helpers/metrics.ts'
import { answer, hang, origin, refusedPort, reset, slowHead } from '../helpers/origin.ts'
import { type Extra, start, type Started } from '../helpers/proxy.ts'

async function begin (t: TestContext, options: ProxyOptions, extra: Extra = {}): Promise<Started & { scrape: () => Promise<Scrape>, ended: (n: number) => Promise<void> }> {
  const proxy = await start(t, options, extra)
  return {
    ...proxy,
    scrape: async () => new Scrape(await proxy.app.proxy.metrics.prometheus()),
    // The line of an exchange is written just before it is counted.
    ended: async (n) => { for (let i = 0; i < n; i++) await proxy.line() }
  }
}

test('requests are counted by route, upstream, variant, method, status and error', async (t) => {
  const stable = await origin(t, answer(200, 'ok'))
  const next = await origin(t, answer(404, 'no'))
  const down = await refusedPort()
  const proxy = await begin(t, {
    upstreams: { stable: stable.url, next: next.url, down: `http://127.0.0.1:${down}` },
    routes: [
      { url: '/a/*', upstream: 'stable', canary: { upstream: 'next', name: 'beta', header: 'x-canary' } },
      { url: '/down', method: 'GET', upstream: 'down' }
    ]
  })
  await proxy.get('/a/1')
  await proxy.request('/a/2', { method: 'POST', body: 'abc' })
  await proxy.get('/a/3', { 'x-canary': 'true' })
  await proxy.get('/a/%2e%2e/4')
  await proxy.get('/down')
  await proxy.ended(5)

  const scrape = await proxy.scrape()

  assert.deepEqual(scrape.of('sluice_requests_total'), {
    '{route="/a/*",upstream="stable",variant="stable",method="GET",code="200",error=""}': 1,
    '{route="/a/*",upstream="stable",variant="stable",method="POST",code="200",error=""}': 1,
    '{route="/a/*",upstream="stable",variant="stable",method="GET",code="400",error="http_request_error"}': 1,
    '{route="/a/*",upstream="next",variant="beta",method="GET",code="404",error=""}': 1,
    '{route="GET /down",upstream="down",variant="stable",method="GET",code="502",error="connection_refused"}': 1
  })
  assert.deepEqual(scrape.of('sluice_request_duration_seconds_count'), {
    '{route="/a/*",upstream="stable",variant="stable",code_class="2xx"}': 2,
    '{route="/a/*",upstream="stable",variant="stable",code_class="4xx"}': 1,
    '{route="/a/*",upstream="next",variant="beta",code_class="4xx"}': 1,
    '{route="GET /down",upstream="down",variant="stable",code_class="5xx"}': 1
  })
  assert.deepEqual(scrape.of('sluice_canary_requests_total'), { '{route="/a/*",variant="beta",reason="header"}': 1 })
  assert.deepEqual(scrape.of('sluice_request_bytes_total'), { '{route="/a/*",upstream="stable"}': 3 })
  assert.deepEqual(scrape.of('sluice_response_bytes_total'), { '{route="/a/*",upstream="stable"}': 4, '{route="/a/*",upstream="next"}': 2 })
  assert.equal(scrape.sum('sluice_overhead_duration_seconds_count'), 5)
})

test('every metric is there, at zero where it can be, before anything happened', async (t) => {
  const proxy = await begin(t, { upstreams: { a: 'http://127.0.0.1:1' }, routes: [{ url: '/', upstream: 'a' }] })
  const scrape = await proxy.scrape()

  assert.equal(new Set(scrape.names).size, scrape.names.length)
  assert.ok(scrape.names.length > 30 && scrape.names.every((name) => name.startsWith('sluice_')), scrape.names.join())
  assert.equal(scrape.value('sluice_slow_requests_total{route="/",upstream="a",variant="stable"}'), 0)
  assert.equal(scrape.value('sluice_endpoint_up{upstream="a",endpoint="http://127.0.0.1:1"}'), 1)
  assert.equal(scrape.value('sluice_upstream_pool_saturation_ratio{upstream="a"}'), 0)
  assert.equal(scrape.value('sluice_upstream_queue_duration_seconds_count{upstream="a"}'), 0)
  assert.equal(scrape.value('sluice_config_last_reload_successful'), 1)
  assert.match(scrape.text, /^sluice_build_info\{version="[^"]+",undici="7[^"]+",node="[^"]+"\} 1$/m)
})

test('the stages of an attempt are measured each by itself', async (t) => {
  const upstream = await origin(t, slowHead(60, answer(200, 'ok')))
  const proxy = await begin(t, { upstreams: { a: { endpoints: [upstream.url], pool: { connections: 1 } } }, routes: [{ url: '/', upstream: 'a' }] })
  await Promise.all([proxy.get('/'), proxy.get('/')])
  await proxy.ended(2)

  const scrape = await proxy.scrape()
  const sum = (name: string): number => scrape.value(`sluice_upstream_${name}_duration_seconds_sum{upstream="a"}`)!

  assert.equal(scrape.value('sluice_upstream_connect_duration_seconds_count{upstream="a"}'), 1)
  assert.ok(sum('header') >= 0.11, `header ${sum('header')}`)
  // The second had to wait for the first.
  assert.ok(sum('queue') >= 0.05, `queue ${sum('queue')}`)
  assert.equal(scrape.value('sluice_upstream_request_duration_seconds_count{upstream="a",code_class="2xx"}'), 2)
  const overhead = scrape.value('sluice_overhead_duration_seconds_sum{route="/"}')!
  const total = scrape.value('sluice_request_duration_seconds_sum{route="/",upstream="a",variant="stable",code_class="2xx"}')!
  const attempts = scrape.value('sluice_upstream_request_duration_seconds_sum{upstream="a",code_class="2xx"}')!
  // No time counts twice, but for what is rounded: what the second waited for, in a line of ours, was before its attempt.
  assert.ok(sum('connect') + sum('header') <= attempts + 0.001, `connect ${sum('connect')}, header ${sum('header')} of ${attempts}`)
  assert.ok(overhead + attempts <= total - 0.05 + 0.001, `overhead ${overhead}, attempts ${attempts} of ${total}`)
})

test('an exchange is slow above the route\'s own threshold', async (t) => {
  const upstream = await origin(t, slowHead(50, answer(200, 'ok')))
  const proxy = await begin(t, {
    upstreams: { a: upstream.url },
    routes: [{ url: '/fussy', upstream: 'a', slow: 20 }, { url: '/calm', upstream: 'a', slow: 5000 }, { url: '/default', upstream: 'a' }]
  })
  for (const path of ['/fussy', '/calm', '/default']) await proxy.get(path)
  await proxy.ended(3)

  assert.equal((await proxy.scrape()).of('sluice_slow_requests_total')['{route="/fussy",upstream="a",variant="stable"}'], 1)
  assert.equal((await proxy.scrape()).of('sluice_slow_requests_total')['{route="/calm",upstream="a",variant="stable"}'], undefined)
})

test('a retry is counted by what it was for and how it ended, and each attempt by its endpoint', async (t) => {
  const well = await origin(t, answer(200, 'ok'))
  const down = `http://127.0.0.1:${await refusedPort()}`
  const proxy = await begin(t, {
    upstreams: { a: { endpoints: [down, well.url], balancer: 'round-robin' } },
    routes: [{ url: '/', upstream: 'a' }]
  })
  assert.equal((await proxy.get('/')).status, 200)
  await proxy.ended(1)

  const scrape = await proxy.scrape()
  assert.deepEqual(scrape.of('sluice_upstream_retries_total'), { '{upstream="a",reason="connection_refused",result="success"}': 1 })
  assert.deepEqual(scrape.of('sluice_upstream_attempts_total'), {
    [`{upstream="a",endpoint="${down}",code_class="",error="connection_refused"}`]: 1,
    [`{upstream="a",endpoint="${well.url}",code_class="2xx",error=""}`]: 1
  })
})

test('a client that leaves is 499, an upstream that resets is 502, each with its word', async (t) => {
  const upstream = await origin(t, hang(), reset())
  const proxy = await begin(t, { upstreams: { a: upstream.url }, routes: [{ url: '/', upstream: 'a' }] })
  const client = await connect(t, proxy.port)
  client.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
  await upstream.arrived(1)
  client.reset()
  await proxy.ended(1)
  assert.equal((await proxy.get('/')).status, 502)
  await proxy.ended(1)

  assert.deepEqual((await proxy.scrape()).of('sluice_requests_total'), {
    '{route="/",upstream="a",variant="stable",method="GET",code="499",error="client_closed_request"}': 1,
    '{route="/",upstream="a",variant="stable",method="GET",code="502",error="connection_terminated"}': 1
  })
})

test('nothing that a client sends becomes a label', async (t) => {
  const upstream = await origin(t, (req, res) => {
    req.resume()
    res.writeHead(Number(/\d{3}/.exec(req.url!)?.[0] ?? 200), { 'x-secret': 'evil' }).end()
  })
  const proxy = await begin(t, {
    upstreams: { a: upstream.url },
    routes: [{ url: '/u/:id/*', upstream: 'a', canary: { upstream: 'a', name: 'c', header: 'x-evil', values: ['evil1'] } }]
  })
  let sent = 0
  for (let index = 200; index < 460; index += 3) {
    await proxy.get(`/u/evil${index}/${index}?evil=${index}`, { 'x-evil': `evil${index}`, cookie: `evil=${index}`, host: `evil${index}.example` })
    sent++
  }
  await proxy.request('/u/evil/200', { method: 'PROPFIND' }).catch(() => {})
  await proxy.ended(sent)

  const scrape = await proxy.scrape()
  assert.doesNotMatch(scrape.text, /evil/)
  assert.equal(scrape.sum('sluice_requests_total') >= sent, true)
})

test('the handler answers behind whatever auth the app puts before it', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const proxy = await begin(t, { upstream: upstream.url }, {
    after: (app) => {
      app.get('/metrics', {
        onRequest: async (request, reply) => request.headers.authorization === 'Bearer x' ? undefined : reply.code(401).send()
      }, app.proxy.metrics.handler)
    }
  })
  await proxy.get('/other')
  await proxy.ended(1)

  assert.equal((await proxy.get('/metrics')).status, 401)
  const response = await proxy.get('/metrics', { authorization: 'Bearer x' })
  assert.equal(response.status, 200)
  assert.equal(response.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8')
  assert.equal(new Scrape(response.body).sum('sluice_requests_total'), 1)
})

test('with metrics: false nothing is counted, and what is can still be read', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const proxy = await begin(t, { metrics: false, upstreams: { a: upstream.url }, routes: [{ url: '/', upstream: 'a' }] })
  await proxy.get('/')
  await proxy.ended(1)

  const scrape = await proxy.scrape()
  assert.equal(scrape.sum('sluice_requests_total'), 0)
  assert.equal(scrape.sum('sluice_build_info'), 1)
})

test('reply.proxy is counted under one id, whatever its options', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const proxy = await begin(t, { upstreams: { a: upstream.url }, routes: [{ url: '/declared', upstream: 'a' }] }, {
    after: (app) => {
      app.get('/plain', (_request, reply) => reply.proxy('a'))
      // Options that are made anew each time, as they should not be.
      app.get('/shaped', (_request, reply) => reply.proxy('a', { path: '/x', via: false }))
    }
  })
  for (const path of ['/plain', '/shaped', '/shaped']) await proxy.get(path)
  await proxy.ended(3)

  assert.deepEqual((await proxy.scrape()).of('sluice_requests_total'), { '{route="reply.proxy a",upstream="a",variant="stable",method="GET",code="200",error=""}': 3 })
})
