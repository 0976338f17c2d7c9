import { performance, type EventLoopUtilization } from 'node:perf_hooks'
import process from 'node:process'
import type { ConnectionCounts, Endpoint, Upstream } from '../../../types/model.ts'
import { version } from '../../version.ts'
import * as catalog from './catalog.ts'
import type { Definition } from './catalog.ts'
import type { Family } from './families.ts'
import { quantile } from './histogram.ts'
import { addressOf, type UpstreamSeries } from './series.ts'
import { type Sample, single } from './sample.ts'
import { breakerStates } from './words.ts'

/*
 * What is, rather than what has happened: worked out when somebody reads it, from the state that the data plane keeps anyway.
 */

function ofUpstreams (definition: Definition, read: (series: UpstreamSeries, now: number) => Iterable<Sample>): Family {
  return { definition, * read (recorder, now) { for (const series of recorder.upstreams.values()) yield * read(series, now) } }
}

/** Reads a number per endpoint, but for those of which `read` has none; endpoints that share a name are one. */
function * perEndpoint (
  { name, upstream: { state } }: UpstreamSeries,
  read: (endpoint: Endpoint) => number | null,
  merge: (a: number, b: number) => number
): Generator<Sample> {
  const endpoints = new Map<string, number>()
  for (const endpoint of state.endpoints) {
    const value = read(endpoint)
    if (value === null) continue
    const key = endpoint.label
    const present = endpoints.get(key)
    endpoints.set(key, present === undefined ? value : merge(present, value))
  }
  for (const [endpoint, value] of endpoints) yield single([name, endpoint], value)
}

const add = (a: number, b: number): number => a + b

const nothing: ConnectionCounts = { busy: 0, idle: 0, warm: 0, opening: 0 }

/** A dispatcher of another kind has no account of its connections. */
function countsOf ({ pool }: Endpoint): ConnectionCounts {
  return pool.connections ?? nothing
}

function idleOf (endpoint: Endpoint): number {
  const { idle, warm } = countsOf(endpoint)
  return idle + warm
}

function * connectionsOf (series: UpstreamSeries): Generator<Sample> {
  const active = perEndpoint(series, (endpoint) => countsOf(endpoint).busy, Math.max)
  const idle = perEndpoint(series, idleOf, Math.max)
  for (const { labels, value } of active) yield single([...labels, 'active'], value)
  for (const { labels, value } of idle) yield single([...labels, 'idle'], value)
}

export interface OriginCounts {
  readonly address: string
  readonly port: number | null
  busy: number
  idle: number
  active: number
  readonly pools: Set<unknown>
}

/** For readers with names of their own: connections and exchanges by host and port, added to those of other upstreams. */
export function countOrigins ({ state }: Upstream, counts: Map<string, OriginCounts>): void {
  for (const endpoint of state.endpoints) {
    const { address, port } = addressOf(endpoint)
    const key = `${address} ${port}`
    let count = counts.get(key)
    if (count === undefined) {
      count = { address, port, busy: 0, idle: 0, active: 0, pools: new Set() }
      counts.set(key, count)
    }
    count.active += endpoint.active
    if (count.pools.has(endpoint.pool)) continue
    count.pools.add(endpoint.pool)
    count.busy += countsOf(endpoint).busy
    count.idle += idleOf(endpoint)
  }
}

/** In our own queue, where the upstream has one, and in those of its pools; a pool that two endpoints share counts once. */
function pendingOf ({ upstream }: UpstreamSeries): number {
  let sum = upstream.load.pending
  const seen = new Set<unknown>()
  for (const endpoint of upstream.state.endpoints) {
    if (seen.has(endpoint.pool)) continue
    seen.add(endpoint.pool)
    sum += (endpoint.pool as { stats?: { queued: number } }).stats?.queued ?? 0
  }
  return sum
}

/**
 * How near an upstream is to having no connection left. Exchanges that wait make it steeper: what waits longer than answers take
 * will not be served by the connections there are.
 */
function saturationOf ({ upstream, header, recent }: UpstreamSeries, now: number): number {
  const { available } = upstream.state
  let active = 0
  let most = 0
  const seen = new Set<unknown>()
  for (const endpoint of available) {
    // A tunnel has taken its connection out of the pool.
    active += endpoint.active - endpoint.tunnels
    if (!seen.has(endpoint.seats)) most += endpoint.seats.limit
    seen.add(endpoint.seats)
  }
  most = Math.min(most, upstream.limits.active)
  if (most === 0) return 1
  const { wait, counts } = recent.read(now)
  const p95 = quantile(0.95, header.bounds, counts)
  return active / most * (1 + (p95 === 0 ? 0 : 0.3 * wait / p95))
}

/** Each endpoint in one state; `total` is all of them. */
function * statesOf ({ name, upstream: { state } }: UpstreamSeries): Generator<Sample> {
  let healthy = 0
  let ejected = 0
  let unhealthy = 0
  let draining = 0
  for (const endpoint of state.endpoints) {
    if (endpoint.baseWeight === 0) draining++
    else if (endpoint.ejectedUntil !== 0) ejected++
    else if (endpoint.health === 'unhealthy') unhealthy++
    else healthy++
  }
  const counts = { healthy, ejected, unhealthy, draining, total: state.endpoints.length }
  for (const [key, count] of Object.entries(counts)) yield single([name, key], count)
}

/** ms within which readings are one and the same: several apps, or several readers, would else measure the time between themselves. */
const SAME_READING = 1000

let utilization: { readonly since: EventLoopUtilization, readonly at: number, readonly share: number } | null = null

function utilizationOf (now: number): number {
  if (utilization === null || now - utilization.at >= SAME_READING) {
    const since = performance.eventLoopUtilization()
    // The first is of all the time since the process began: without a second argument Node would measure from this line to itself.
    const { utilization: share } = utilization === null ? since : performance.eventLoopUtilization(since, utilization.since)
    utilization = { since, at: now, share }
  }
  return utilization.share
}

export const gauges: readonly Family[] = [
  ofUpstreams(catalog.activeRequests, (series) => perEndpoint(series, ({ active }) => active, add)),
  ofUpstreams(catalog.pendingRequests, function * (series) { yield single([series.name], pendingOf(series)) }),
  ofUpstreams(catalog.connections, connectionsOf),
  ofUpstreams(catalog.saturation, function * (series, now) { yield single([series.name], saturationOf(series, now)) }),
  ofUpstreams(catalog.endpointUp, (series) => {
    const available = new Set(series.upstream.state.available)
    // An endpoint of weight 0 is not down, and would make the share of those that are up too small.
    return perEndpoint(series, (endpoint) => endpoint.baseWeight === 0 ? null : available.has(endpoint) ? 1 : 0, Math.max)
  }),
  ofUpstreams(catalog.endpoints, statesOf),
  ofUpstreams(catalog.breakerState, (series) => perEndpoint(series, ({ breaker }) => breakerStates.indexOf(breaker), Math.max)),
  ofUpstreams(catalog.websockets, function * ({ name, upstream: { state } }) {
    yield single([name], state.endpoints.reduce((sum, { tunnels }) => sum + tunnels, 0))
  }),
  {
    definition: catalog.reloads,
    * read () {
      yield single(['success'], 0)
      yield single(['failure'], 0)
    }
  },
  { definition: catalog.reloadSuccessful, * read ({ snapshot }) { if (snapshot !== null) yield single([], 1) } },
  { definition: catalog.reloadTimestamp, * read ({ snapshot, builtAt }) { if (snapshot !== null) yield single([], builtAt) } },
  { definition: catalog.configInfo, * read ({ snapshot }) { if (snapshot !== null) yield single([String(snapshot.revision)], 1) } },
  { definition: catalog.buildInfo, * read ({ undici }) { yield single([version, undici, process.versions.node], 1) } },
  {
    definition: catalog.loopUtilization,
    * read (_recorder, now) { yield single([], utilizationOf(now)) }
  }
]
