import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { fairly, promptly } from '../helpers/fair.ts'
import { answer, echo, hang, origin, refusedPort, type Origin, type Step } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'
import type { RouteBehaviour } from '../../types/index.ts'

async function startWith (t: TestContext, endpoints: string[], behaviour: RouteBehaviour, upstream: object = {}): Promise<Started> {
  return start(t, {
    upstreams: { some: { endpoints, balancer: 'round-robin', outlier: false, breaker: false, ...upstream } },
    routes: [{ url: '/*', upstream: 'some', ...behaviour }]
  })
}

test('a status that the route names is tried again on another endpoint', async (t) => {
  const [sick, well] = await Promise.all([origin(t, answer(503, 'sick')), origin(t, answer(200, 'well'))])
  const proxy = await startWith(t, [sick.url, well.url], { retry: { on: [503] } })

  for (let n = 0; n < 10; n++) assert.equal((await proxy.get('/x')).body, 'well')
})

const bodies: readonly (readonly [what: string, body: Buffer])[] = [['a small', Buffer.from('the last word')], ['a large', Buffer.alloc(3 * 1024 * 1024, 'sluice')], ['no', Buffer.alloc(0)]]

for (const [what, body] of bodies) {
  test(`when all attempts have failed, the last answer is relayed with ${what} body, and no connection is lost`, async (t) => {
    const upstream = await origin(t, ...Array.from({ length: 9 }, (): Step => answer(503, body, { 'content-type': 'text/plain' })), answer(200, 'well'))
    const proxy = await startWith(t, [upstream.url], { retry: { on: [503], attempts: 2 } }, { pool: { connections: 1 } })

    for (let n = 1; n <= 3; n++) {
      const response = await proxy.get('/x')
      assert.equal(response.status, 503)
      assert.ok(response.bytes.equals(body))
      assert.equal(upstream.hits, n * 3)
    }
    assert.equal((await proxy.get('/x')).body, 'well')
    const { load, state } = proxy.app.proxy.upstream('some')!
    assert.deepEqual([load.active, load.pending, load.retrying, state.endpoints[0]!.active], [0, 0, 0, 0])
  })

  test(`when those behind it gave no answer at all, an answer that was tried again is relayed with ${what} body`, async (t) => {
    const sick = await origin(t, answer(503, body, { 'content-type': 'text/plain' }))
    const proxy = await startWith(t, [sick.url, `http://127.0.0.1:${await refusedPort()}`], { retry: { on: [503], attempts: 1 } })

    const response = await proxy.get('/x')

    assert.equal(response.status, 503)
    assert.ok(response.bytes.equals(body))
    assert.equal((await proxy.line())['error'], '')
  })
}

test('a POST is not tried again for its status, unless it has an Idempotency-Key; then with its body', async (t) => {
  const upstream = await origin(t, answer(503, 'no'), answer(503, 'no'), echo())
  const proxy = await startWith(t, [upstream.url], { retry: { on: [503] } })

  const once = await proxy.request('/x', { method: 'POST', body: 'order' })
  const twice = await proxy.request('/x', { method: 'POST', body: 'order', headers: { 'idempotency-key': '1' } })

  assert.equal(once.status, 503)
  assert.equal(JSON.parse(twice.body).body, 'order')
  assert.equal(upstream.hits, 3)
})

test('a body that is longer than what is kept is sent once', async (t) => {
  const upstream = await origin(t, answer(503, 'no'))
  const proxy = await startWith(t, [upstream.url], { retry: { on: [503] }, body: { replay: 1000 } })

  assert.equal((await proxy.request('/x', { method: 'PUT', body: Buffer.alloc(1001) })).status, 503)
  assert.equal(upstream.hits, 1)
  assert.equal((await proxy.request('/x', { method: 'PUT', body: Buffer.alloc(1000) })).status, 503)
  assert.equal(upstream.hits, 3)
})

test('an attempt that takes too long is tried again elsewhere', (t) => fairly(60, async () => {
  const [slow, well] = await Promise.all([origin(t, hang()), origin(t, answer(200, 'well'))])
  const proxy = await startWith(t, [slow.url, well.url], { retry: { on: ['timeout'] }, timeouts: { attempt: 200 } })

  for (let n = 0; n < 4; n++) assert.equal((await proxy.get('/x')).body, 'well')
}))

async function assertSecondTry (upstream: Origin, proxy: Started): Promise<void> {
  assert.equal((await proxy.get('/x')).body, 'well')
  assert.equal(upstream.hits, 2)
}

test('Retry-After is waited for, and a hostile one is not', async (t) => {
  const polite = await origin(t, answer(503, '', { 'retry-after': '1' }), answer(200, 'well'))
  const hostile = await origin(t, answer(503, '', { 'retry-after': '99999999999' }), answer(200, 'well'))

  const [toPolite, toHostile] = await Promise.all([polite, hostile].map(({ url }) => startWith(t, [url], { retry: { on: [503] } })))
  const startedAt = performance.now()

  await assertSecondTry(polite, toPolite!)

  assert.ok(performance.now() - startedAt >= 1000)
  assert.ok(await promptly(() => assertSecondTry(hostile, toHostile!)) < 1000)
})

test('no retry goes beyond the deadline, of which request.proxy and the upstream are told', (t) => fairly(300, async () => {
  const upstream = await origin(t, answer(503, 'no', { 'retry-after': '3' }))
  let left = 0
  const proxy = await startWith(t, [upstream.url], {
    retry: { on: [503] },
    forwardDeadline: true,
    timeouts: { total: 2000, head: 1000 },
    onProxyRequest: (_head, exchange) => { left = exchange.deadline - exchange.startedAt }
  }, { pool: { connectTimeout: 1000 } })

  const response = await proxy.get('/x', { 'x-envoy-expected-rq-timeout-ms': '9' })

  assert.deepEqual([response.status, response.body, upstream.hits], [503, 'no', 1])
  assert.equal(Math.round(left), 2000)
  const told = Number(upstream.requests[0]!.headers['x-envoy-expected-rq-timeout-ms'])
  assert.ok(told > 1000 && told <= 2000, `${told}`)
}))
