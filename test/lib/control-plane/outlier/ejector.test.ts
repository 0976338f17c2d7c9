import assert from 'node:assert/strict'
import { test } from 'node:test'
import { health, outlier, rig, type Rig } from '../rig.ts'

function fail (rig: Rig, index: number, times = 3): void {
  for (let count = 0; count < times; count++) rig.attempt(index, ['connection_terminated', 'responseHeaders'])
}

test('an endpoint that fails is out at once, for its time, and is connected to before it is back', async () => {
  const it = rig(3, { pool: { warm: 2 } })
  fail(it, 1)
  assert.equal(it.available(), 'ac')
  assert.deepEqual(it.events, ['ejected b consecutive-failures'])
  await it.pass(990)
  assert.equal(it.available(), 'ac')
  assert.deepEqual(it.pools[1]!.prewarmed, [])
  await it.pass(20)
  assert.equal(it.available(), 'abc')
  assert.deepEqual(it.pools[1]!.prewarmed, [2])
  assert.deepEqual(it.events, ['ejected b consecutive-failures', 'returned b ejection'])
})

test('each ejection is longer than the last, up to the longest', async () => {
  const it = rig(3)
  for (const time of [1000, 2000, 3000, 3000]) {
    fail(it, 1)
    assert.equal(it.endpoints[1]!.ejectedUntil - it.time.now(), time)
    await it.pass(time + 10)
    assert.equal(it.available(), 'abc')
  }
})

test('attempts that were under way when it was ejected change nothing', () => {
  const it = rig(3)
  fail(it, 1, 20)
  assert.equal(it.events.length, 1)
})

// endpoints, share, how many may be out
for (const [count, share, most] of [[1, 1, 0], [2, 0.5, 1], [3, 0.5, 1], [3, 0.1, 1], [4, 0.5, 2], [4, 0, 0], [3, 1, 3]] as const) {
  test(`of ${count} endpoints ${most} may be ejected at a share of ${share}`, () => {
    const it = rig(count, { outlier: { ...outlier, maxEjectedShare: share } })
    for (let index = 0; index < count; index++) fail(it, index)
    assert.equal(it.endpoints.filter(({ ejectedUntil }) => ejectedUntil !== 0).length, most)
    assert.equal(it.monitor.ejector!.overflows > 0, most < count)
  })
}

test('endpoints of weight 0 are not among those of which a share may be ejected', () => {
  const alone = rig(3, {}, [], [1, 0, 0])
  fail(alone, 0)
  assert.equal(alone.available(), 'a')
  const pair = rig(4, {}, [], [1, 1, 0, 0])
  for (const index of [0, 1]) fail(pair, index)
  assert.equal(pair.available(), 'b')
})

test('an endpoint that could not be connected to is tried by connecting, and back as soon as that works', async () => {
  const it = rig(3, { outlier: { ...outlier, baseEjection: 30_000, maxEjection: 30_000 } })
  it.pools[1]!.isUp = false
  for (let count = 0; count < 3; count++) it.attempt(1, ['connection_refused', 'connect'])
  await it.pass(5000)
  assert.equal(it.available(), 'ac')
  assert.ok(it.pools[1]!.prewarmed.length >= 8, 'tried every half second')
  it.pools[1]!.isUp = true
  await it.pass(510)
  assert.equal(it.available(), 'abc')
})

test('an endpoint that cannot be connected to when its time is over stays out until it can', async () => {
  const it = rig(3)
  fail(it, 1)
  it.pools[1]!.isUp = false
  await it.pass(5000)
  assert.equal(it.available(), 'ac')
  it.pools[1]!.isUp = true
  await it.pass(510)
  assert.equal(it.available(), 'abc')
})

test('a check that passes lifts an ejection for what checks have seen, and no other', async () => {
  const long = { ...outlier, baseEjection: 60_000, maxEjection: 60_000 }
  const unseen = rig(3, { outlier: long, health })
  unseen.monitor.start()
  await unseen.pass(10)
  for (let count = 0; count < 3; count++) unseen.attempt(1, 503)
  await unseen.pass(5000)
  assert.equal(unseen.available(), 'ac', 'its checks passed all the time, so they say nothing of what is wrong')
  unseen.monitor.close()

  const seen = rig(3, { outlier: long, health })
  seen.monitor.start()
  await seen.pass(10)
  fail(seen, 1)
  seen.pools[1]!.answer = () => new Error('hangs')
  await seen.pass(1100)
  seen.pools[1]!.answer = () => ({ statusCode: 200, latency: 1 })
  await seen.pass(1100)
  assert.equal(seen.available(), 'abc')
  seen.monitor.close()
})

test('a check that began before an ejection does not lift it', () => {
  const long = { ...outlier, baseEjection: 60_000, maxEjection: 60_000 }
  const it = rig(3, { outlier: long })
  const [, endpoint] = it.endpoints
  const startedAt = it.time.now()
  it.time.advance(1)
  it.monitor.ejector!.probed(endpoint!, false, startedAt)
  fail(it, 1)
  it.monitor.ejector!.probed(endpoint!, true, startedAt)
  assert.deepEqual(it.pools[1]!.prewarmed, [])
  it.monitor.ejector!.probed(endpoint!, true, it.time.now())
  assert.deepEqual(it.pools[1]!.prewarmed, [1])
})

test('what comes back is watched closely: its first failure is enough', async () => {
  const it = rig(3)
  fail(it, 1)
  await it.pass(1010)
  fail(it, 1, 1)
  assert.equal(it.available(), 'ac')
})

test('it comes back slowly where that is asked for, with a new list for each weight', async () => {
  const it = rig(2, { slowStart: 1000 })
  fail(it, 1)
  await it.pass(1010)
  assert.ok(it.endpoints[1]!.weight < 0.2)
  const list = it.upstream.state.available
  await it.pass(500)
  assert.notEqual(it.upstream.state.available, list)
  await it.pass(1000)
  assert.equal(it.endpoints[1]!.weight, 1)
})

test('nothing ticks where nothing happens, and nothing at all once closed', async () => {
  const it = rig(2)
  assert.equal(it.time.pending, 0)
  it.attempt(0, 200)
  await it.pass(80_000)
  assert.equal(it.time.pending, 0)
  fail(it, 0)
  it.monitor.close()
  assert.equal(it.time.pending, 0)
  await it.pass(5000)
  assert.equal(it.available(), 'b')
})
