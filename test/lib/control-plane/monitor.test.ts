import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rig } from './rig.ts'

test('refresh takes a breaker into account, and leaves the list alone when nothing changed', () => {
  const { upstream, endpoints, available } = rig(3)
  const { state } = upstream
  upstream.refresh()
  assert.equal(upstream.state, state, 'what balancers know of it stays')
  endpoints[0]!.breaker = 'open'
  upstream.refresh()
  assert.equal(available(), 'bc')
  endpoints[0]!.breaker = 'half-open'
  upstream.refresh()
  assert.equal(available(), 'abc')
})

test('the only endpoint is not available while its breaker is open', () => {
  const { upstream, endpoints, available } = rig(1)
  endpoints[0]!.breaker = 'open'
  upstream.refresh()
  assert.equal(available(), '')
})

test('without ejection attempts are nobody\'s business', () => {
  const { upstream, monitor } = rig(2, { outlier: false })
  assert.equal(monitor.ejector, null)
  assert.equal(upstream.state.observers.length, 1)
})

test('priorities spill over as endpoints go', () => {
  const { upstream, endpoints } = rig(4, {}, [0, 0, 1, 1])
  assert.deepEqual(upstream.state.tiers!.map(({ upTo }) => upTo), [1])
  endpoints[0]!.breaker = 'open'
  upstream.refresh()
  assert.deepEqual(upstream.state.tiers!.map(({ upTo }) => Math.round(upTo * 100)), [70, 100])
})

test('whoever waits for an endpoint is told that one is back, also when the list is what it was', () => {
  const { upstream, endpoints } = rig(2)
  const seen: number[] = []
  upstream.waker = { wake: ({ state }) => { seen.push(state.available.length) } }
  endpoints[0]!.breaker = 'open'
  upstream.refresh()
  endpoints[0]!.breaker = 'half-open'
  upstream.refresh()
  endpoints[0]!.breaker = 'closed'
  upstream.refresh()
  assert.deepEqual(seen, [1, 2, 2])
})
