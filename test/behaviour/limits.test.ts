import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { fairly } from '../helpers/fair.ts'
import { answer, hang, origin, slowHead } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'
import type { UpstreamOptions } from '../../types/index.ts'

async function startOne (t: TestContext, options: UpstreamOptions): Promise<Started> {
  return start(t, { upstreams: { one: options }, routes: [{ url: '/*', upstream: 'one' }] })
}

test('what is beyond the queue is refused at once, and no endpoint is blamed', (t) => fairly(100, async () => {
  const upstream = await origin(t, hang())
  const proxy = await startOne(t, { endpoints: [upstream.url], limits: { active: 1, pending: 1, queueTimeout: 400 } })
  const first = proxy.get('/first').catch(() => {})
  await upstream.arrived(1)
  const second = proxy.get('/second')
  const { load } = proxy.app.proxy.upstream('one')!
  while (load.pending === 0) await new Promise(setImmediate)

  const refused = await proxy.get('/third')
  assert.equal(refused.status, 503)
  assert.equal(refused.headers['retry-after'], '1')
  assert.match(String(refused.headers['proxy-status']), /error=connection_limit_reached/)
  assert.equal(JSON.parse(refused.body).code, 'FST_SLUICE_UPSTREAM_OVERFLOW')
  for (let count = 0; count < 5; count++) await proxy.get('/more')
  const told = proxy.logs.filter(({ event }) => event === 'overflowed')
  assert.deepEqual(told.map(({ level, msg, upstream: name, times }) => [level, msg, name, times]), [[40, 'upstream overflowed', 'one', 1]])

  const late = await second
  assert.deepEqual([late.status, JSON.parse(late.body).code], [503, 'FST_SLUICE_QUEUE_TIMEOUT'])
  assert.deepEqual([load.active, load.pending, upstream.hits], [1, 0, 1])
  for (const socket of upstream.sockets.keys()) socket.destroy()
  await first
}))

test('those who wait are served in the order in which they came, by whichever endpoint is free', async (t) => {
  const origins = await Promise.all([origin(t, slowHead(20)), origin(t, slowHead(20))])
  const proxy = await startOne(t, { endpoints: origins.map(({ url }) => url), pool: { connections: 1 } })
  const arrived: string[] = []
  for (const { server } of origins) server.on('request', ({ url }: { url: string }) => { arrived.push(url) })
  const { load } = proxy.app.proxy.upstream('one')!

  const answers: Promise<{ status: number }>[] = []
  for (let n = 0; n < 10; n++) {
    answers.push(proxy.get(`/${n}`))
    while (load.active + load.pending + arrived.length < n + 1 && load.active + load.pending < n + 1 - arrived.length) await new Promise(setImmediate)
    await new Promise(setImmediate)
  }
  for (const each of await Promise.all(answers)) assert.equal(each.status, 200)
  assert.equal(arrived.length, 10)
  assert.deepEqual([origins[0]!.connections, origins[1]!.connections], [1, 1])
  assert.deepEqual([load.active, load.pending], [0, 0])
})

test('undici has never more requests than connections: nothing waits in its queue', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const proxy = await startOne(t, { endpoints: [upstream.url], pool: { connections: 3 } })
  const { pool } = proxy.app.proxy.upstream('one')!.state.endpoints[0]!
  let most = 0
  const look = setInterval(() => { most = Math.max(most, (pool as unknown as { stats: { queued: number } }).stats.queued) }, 1)
  t.after(() => { clearInterval(look) })

  const answers = await Promise.all(Array.from({ length: 300 }, (_, n) => proxy.get(`/${n}`)))

  assert.ok(answers.every(({ status }) => status === 200))
  assert.equal(most, 0)
  assert.ok(upstream.connections <= 3)
})

test('those who wait go on when an endpoint comes back, though nobody has left a seat', async (t) => {
  const [busy, back] = await Promise.all([origin(t, hang()), origin(t, answer(200, 'back'))])
  const proxy = await startOne(t, { endpoints: [busy.url, back.url], pool: { connections: 1 }, limits: { queueTimeout: 60_000 } })
  const upstream = proxy.app.proxy.upstream('one')!
  const second = upstream.state.endpoints[1]!
  second.breaker = 'open'
  upstream.refresh()
  const first = proxy.get('/first').catch(() => {})
  await busy.arrived(1)
  const waiting = proxy.get('/second')
  while (upstream.load.pending === 0) await new Promise(setImmediate)
  // What its entering looked at is over.
  for (let n = 0; n < 5; n++) await new Promise(setImmediate)

  second.breaker = 'closed'
  upstream.refresh()

  assert.equal((await waiting).body, 'back')
  assert.equal(upstream.waker, null)
  for (const socket of busy.sockets.keys()) socket.destroy()
  await first
})
