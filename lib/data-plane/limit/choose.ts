import type { Endpoint, Upstream } from '../../../types/model.ts'
import type { ProxyExchange } from '../../model/exchange.ts'
import { admitsProbe } from '../breaker/probes.ts'
import { proxyError, type ProxyError } from '../../errors.ts'

/**
 * The endpoint of an exchange's next attempt: one that it has not tried, as long as there is one, and one that has room.
 * @returns null if all of them are busy
 * @throws ProxyError `no_healthy_upstream` if none is available, `circuit_open` if that is a breaker's doing
 */
export function chooseEndpoint (exchange: ProxyExchange, now: () => number): Endpoint | null {
  const { state } = exchange.upstream
  const { available, balancer } = state
  if (available.length === 0) throw noneAvailable(state)
  const { tried } = exchange
  const preferred = tried === null ? available : withoutTried(available, tried)
  const endpoint = balancer.pick(preferred, exchange)
  if (hasRoom(endpoint, now)) return endpoint
  // Rather one that has failed it before than none.
  const free = withRoom(preferred, now) ?? (tried === null ? null : withRoom(available, now))
  if (free !== null) return balancer.pick(free, exchange)
  // Nobody waits for the outcome of a probe.
  if (isProbing(state, now)) throw proxyError('circuit_open', 'select')
  return null
}

/** True while all endpoints that are left have their probes under way, whether or not these take the last connections. */
function isProbing ({ available }: Upstream['state'], now: () => number): boolean {
  return available.every((endpoint) => endpoint.breaker === 'half-open' && !admitsProbe(endpoint, now()))
}

/** True while all endpoints that are left are half-open, and none can take a request: for its probes, or for want of a connection. */
export function isFullHalfOpen ({ available }: Upstream['state'], now: () => number): boolean {
  return available.every((endpoint) => endpoint.breaker === 'half-open' && (endpoint.seats.isSpent || !admitsProbe(endpoint, now())))
}

export function noneAvailable ({ endpoints }: Upstream['state']): ProxyError {
  return proxyError(endpoints.some(({ breaker }) => breaker === 'open') ? 'circuit_open' : 'no_healthy_upstream', 'select')
}

/** A half-open breaker lets a few through at a time. */
function hasRoom (endpoint: Endpoint, now: () => number): boolean {
  return !endpoint.seats.isFull && (endpoint.breaker !== 'half-open' || admitsProbe(endpoint, now()))
}

/** Another endpoint first; those tried before again when there is no other. */
function withoutTried (available: readonly Endpoint[], tried: readonly Endpoint[]): readonly Endpoint[] {
  const others = available.filter((endpoint) => !tried.includes(endpoint))
  return others.length > 0 ? others : available
}

function withRoom (endpoints: readonly Endpoint[], now: () => number): readonly Endpoint[] | null {
  const free = endpoints.filter((endpoint) => hasRoom(endpoint, now))
  return free.length > 0 ? free : null
}

/** Whoever leaves a seat of one of these endpoints tells the upstream's line. */
export function watchSeats (upstream: Upstream): void {
  for (const { seats } of upstream.state.endpoints) (seats.waiting ??= new Set()).add(upstream)
}

export function unwatchSeats (upstream: Upstream): void {
  for (const { seats } of upstream.state.endpoints) {
    if (seats.waiting === null) continue
    seats.waiting.delete(upstream)
    if (seats.waiting.size === 0) seats.waiting = null
  }
}
