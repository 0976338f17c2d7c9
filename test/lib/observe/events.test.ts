import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import test from 'node:test'
import type { Observer, UpstreamEvent, UpstreamEventName } from '../../../types/policy.ts'
import { announce } from '../../../lib/observe/events.ts'
import { endpointAt, upstreamOf } from '../samples.ts'

function observedUpstream (observers: readonly Observer[]): ReturnType<typeof upstreamOf> {
  const upstream = upstreamOf('orders', [endpointAt('http://10.0.0.1:3000')])
  upstream.state = { ...upstream.state, observers }
  return upstream
}

test('an event reaches every observer that asks for events, and no other is needed', () => {
  const seen: UpstreamEvent[] = []
  const upstream = observedUpstream([{ onEvent: (event) => seen.push(event) }, { onExchange () {} }, { onEvent: (event) => seen.push(event) }])
  const endpoint = upstream.state.endpoints[0]!

  announce(upstream, 'ejected', endpoint, 'consecutive-failures')

  assert.equal(seen.length, 2)
  assert.deepEqual(seen[0], { name: 'ejected', upstream, endpoint, reason: 'consecutive-failures' })
  assert.equal(seen[1], seen[0])
})

const names: UpstreamEventName[] = ['ejected', 'returned', 'unhealthy', 'healthy', 'opened', 'half-open', 'closed', 'overflowed', 'exhausted']

for (const name of names) {
  test(`an event ${name} is published on the diagnostics channel sluice:${name}, with or without observers`, (t) => {
    const published: unknown[] = []
    const listener = (event: unknown): void => { published.push(event) }
    subscribe(`sluice:${name}`, listener)
    t.after(() => unsubscribe(`sluice:${name}`, listener))
    const seen: UpstreamEvent[] = []
    const silent = observedUpstream([])
    const observed = observedUpstream([{ onEvent: (event) => seen.push(event) }])

    announce(silent, name, null, 'why')
    announce(observed, name, null, 'why')

    assert.deepEqual(published, [{ name, upstream: silent, endpoint: null, reason: 'why' }, seen[0]])
  })
}

test('nobody who listens to one event is told of another', (t) => {
  const published: unknown[] = []
  const listener = (event: unknown): void => { published.push(event) }
  subscribe('sluice:opened', listener)
  t.after(() => unsubscribe('sluice:opened', listener))

  announce(observedUpstream([]), 'closed', null, 'why')

  assert.deepEqual(published, [])
})
