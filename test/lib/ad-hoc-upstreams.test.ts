import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { AdHocUpstreams, type AdHocConfig, type AdHocOwner, type OwnPool } from '../../lib/ad-hoc-upstreams.ts'
import type { Upstream } from '../../types/model.ts'
import { endpointAt, upstreamOf } from './samples.ts'

/** A pool without sockets: its connections are what the test says. */
class Pool extends EventEmitter {
  readonly connections = { busy: 0, idle: 0, warm: 0, opening: 0 }
  isClosed = false
  observe (): void {}

  async closeInPeace (): Promise<void> {
    this.isClosed = true
  }

  /** The last connection has closed. */
  drop (): void {
    Object.assign(this.connections, { busy: 0, idle: 0, warm: 0, opening: 0 })
    this.emit('disconnect')
  }
}

interface Rig { upstreams: AdHocUpstreams, pools: Pool[], forgotten: string[], whole (): Upstream, opened (): string[] }

function rig (config: Partial<AdHocConfig> = {}): Rig {
  const pools: Pool[] = []
  const opened: string[] = []
  const forgotten: string[] = []
  let whole: Upstream | null = null
  const owner: AdHocOwner = {
    openAdHoc (url) {
      const pool = new Pool()
      pool.connections.idle = 1
      pools.push(pool)
      opened.push(url)
      return { upstream: upstreamOf(url, [endpointAt(url)]), pool: pool as unknown as OwnPool }
    },
    forgetAdHoc: ({ name }) => { forgotten.push(name) },
    announceAdHoc: (all) => {
      assert.equal(whole, null, 'once')
      whole = all
      return []
    }
  }
  return { upstreams: new AdHocUpstreams({ origins: () => true, max: 3, ...config }, owner), pools, forgotten, whole: () => whole!, opened: () => opened }
}

const turn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve) })

test('an upstream is made when it is first named, and is the same the next time', () => {
  const { upstreams, opened } = rig()
  const first = upstreams.take('http://a')
  assert.equal(upstreams.take('http://a'), first)
  assert.deepEqual([opened(), upstreams.size, upstreams.find('http://a'), upstreams.find('http://b')], [['http://a'], 1, first.upstream, undefined])
})

test('one whose connections have all closed is let go', async () => {
  const { upstreams, pools, forgotten } = rig()
  upstreams.take('http://a')
  pools[0]!.connections.idle = 2
  pools[0]!.emit('disconnect')
  await turn()
  assert.equal(upstreams.size, 1, 'there is another connection')

  pools[0]!.drop()
  await turn()
  await turn()
  assert.deepEqual([upstreams.size, pools[0]!.isClosed, forgotten], [0, true, ['http://a']])
})

test('one that has something to do is kept without a connection, and one that fails, so that its breaker spares it', async () => {
  const { upstreams, pools } = rig()
  const { upstream } = upstreams.take('http://a')
  for (const field of ['active', 'pending', 'retrying'] as const) {
    upstream.load[field] = 1
    pools[0]!.drop()
    await turn()
    assert.equal(upstreams.size, 1, field)
    upstream.load[field] = 0
  }
  const endpoint = upstream.state.endpoints[0]!
  endpoint.tunnels = 1
  pools[0]!.drop()
  await turn()
  assert.equal(upstreams.size, 1, 'tunnels')
  endpoint.tunnels = 0
  endpoint.failures = 1
  pools[0]!.emit('connectionError')
  await turn()
  assert.equal(upstreams.size, 1, 'failures')
  endpoint.failures = 0
  endpoint.breaker = 'open'
  pools[0]!.emit('connectionError')
  await turn()
  assert.equal(upstreams.size, 1, 'breaker')
})

test('beyond max the one least recently used is let go', async () => {
  const { upstreams, pools, opened } = rig()
  for (const name of ['http://a', 'http://b', 'http://c', 'http://a', 'http://d', 'http://b']) upstreams.take(name)

  assert.deepEqual(opened(), ['http://a', 'http://b', 'http://c', 'http://d', 'http://b'])
  assert.ok(pools.every(({ isClosed }) => !isClosed), 'an exchange may be about to send')
  await turn()
  assert.deepEqual(pools.map(({ isClosed }) => isClosed), [false, true, true, false, false])
  assert.equal(upstreams.size, 3)
})

test('one that is let go over others serves its exchanges to their end, and is closed when the last connection is', async () => {
  const { upstreams, pools } = rig({ max: 1 })
  const { upstream } = upstreams.take('http://a')
  upstream.load.active = 1
  upstreams.take('http://b')
  assert.equal(pools[0]!.isClosed, false)
  assert.equal(upstreams.pools.length, 2)

  upstream.load.active = 0
  upstream.state.endpoints[0]!.failures = 1
  pools[0]!.drop()
  await turn()
  await turn()
  assert.deepEqual([pools[0]!.isClosed, upstreams.pools.length], [true, 1])
})

test('readers see all of them as one upstream', () => {
  const { upstreams, whole } = rig()
  const first = upstreams.take('http://a').upstream
  const second = upstreams.take('http://b').upstream
  first.load.active = 2
  second.load.active = 3
  second.load.pending = 1
  second.state = { ...second.state, available: [] }

  const { label, state, load } = whole()
  assert.equal(label, 'adhoc')
  assert.deepEqual([state.endpoints.length, state.available.length, load.active, load.pending], [2, 1, 5, 1])
})

test('origins are one however they are written', () => {
  const spelt = ['http://A:3000/', 'https://b:443', 'unix:///run/an app.sock']
  const { upstreams } = rig({ origins: spelt })
  for (const url of [...spelt, 'http://a:3000/x', 'https://b', 'unix:/run/an app.sock']) assert.ok(upstreams.allows(url), url)
  for (const url of ['http://a', 'http://b', 'unix:/run/an%20app.sock', 'unix:/run/an app.sock ']) assert.ok(!upstreams.allows(url), url)
})

test('origins are compared, or the function decides', () => {
  const listed = rig({ origins: ['http://a:3000'] }).upstreams
  assert.deepEqual(['http://a:3000/x', 'http://a', 'https://a:3000'].map((url) => listed.allows(url)), [true, false, false])
  const decided = rig({ origins: (url) => url.hostname.endsWith('.test') }).upstreams
  assert.deepEqual(['http://a.test', 'http://a.test.evil'].map((url) => decided.allows(url)), [true, false])
  for (const origins of [async () => true, () => 'yes', () => undefined] as unknown as AdHocConfig['origins'][]) {
    assert.throws(() => rig({ origins }).upstreams.allows('http://a'), /`adHoc.origins` must return true or false/)
  }
})
