import assert from 'node:assert/strict'
import test from 'node:test'
import { addressOf, UpstreamSeries } from '../../../../lib/observe/metrics/series.ts'
import { endpointAt, upstreamOf } from '../../samples.ts'

const origins = [
  ['http://a.example', 'a.example', 80], ['https://a.example', 'a.example', 443], ['https://[::1]:8443', '::1', 8443], ['unix:/run/app.sock', '/run/app.sock', null]
] as const
for (const [origin, address, port] of origins) {
  test(`${origin} is ${address} and ${port}`, () => { assert.deepEqual(addressOf({ origin, label: `${origin}/base` }), { address, port }) })
}

test('endpoints that differ in their base path are two', () => {
  assert.deepEqual([endpointAt('http://a.example/x').label, endpointAt('http://a.example').label], ['http://a.example/x', 'http://a.example'])
})

test('an endpoint whose label says nothing of it has no address', () => {
  assert.deepEqual(addressOf({ origin: 'http://a.example', label: 'adhoc' }), { address: 'adhoc', port: null })
})

test('what is recent is what came since somebody read it, half a minute ago or more', () => {
  const series = new UpstreamSeries(upstreamOf('a', []))
  const answers = (now: number): number => series.recent.read(now).counts.reduce((a, b) => a + b)
  series.queue.observe(1000)
  series.header.observe(1000)
  assert.deepEqual([series.recent.read(0).wait, answers(0)], [0.001, 1])

  series.queue.observe(3000)
  series.header.observe(1000)
  // Read again too soon: the base is still the beginning.
  assert.deepEqual([series.recent.read(10_000).wait, answers(10_000)], [0.002, 2])
  // Now it is what stood there at 0.
  assert.deepEqual([series.recent.read(30_000).wait, answers(30_000)], [0.003, 1])
  assert.deepEqual([series.recent.read(60_000).wait, answers(60_000)], [0, 0])
})
