import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { UpstreamOptions } from '../../types/index.ts'
import { answer, hang, origin, slowHead } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

/* `timeouts.total` beside nothing else: what nobody wrote fits into it. */

test('an answer may take all of the total', async (t) => {
  const upstream = await origin(t, slowHead(400))
  const app = await start(t, { upstream: upstream.url, timeouts: { total: 20_000 }, forwardDeadline: 'x-left' })

  assert.equal((await app.get('/x')).status, 200)
  assert.ok(Number(upstream.requests[0]!.headers['x-left']) > 19_000)
})

test('an attempt that is tried again after a timeout leaves time for the next one', async (t) => {
  const slow = await origin(t, hang())
  const well = await origin(t, answer(200, 'well'))
  const upstream: UpstreamOptions = { endpoints: [slow.url, well.url], balancer: 'round-robin' }
  const app = await start(t, { upstream, timeouts: { total: 4000 }, retry: { on: ['timeout'] }, forwardDeadline: 'x-left' })

  const [first, second] = [await app.get('/x'), await app.get('/x')]

  // One of the two began with the endpoint that says nothing, and had half of the total for it.
  assert.deepEqual([first.status, second.status], [200, 200])
  assert.ok(Number(slow.requests[0]!.headers['x-left']) <= 2000)
})
