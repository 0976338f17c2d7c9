import type { Endpoint, Upstream } from '../../../types/model.ts'
import type { ProxyExchange } from '../../model/exchange.ts'
import { proxyError } from '../../errors.ts'

/**
 * The endpoint of an exchange's next attempt: one that it has not tried, as long as there is one, and one that has room.
 * @returns null if all of them are busy
 * @throws ProxyError `no_healthy_upstream` if none is available
 */
export function chooseEndpoint (exchange: ProxyExchange): Endpoint | null {
  const { available, balancer } = exchange.upstream.state
  if (available.length === 0) throw proxyError('no_healthy_upstream', 'select')
  const { tried } = exchange
  const preferred = tried === null ? available : withoutTried(available, tried)
  const endpoint = balancer.pick(preferred, exchange)
  if (!endpoint.seats.isFull) return endpoint
  // Rather one that has failed it before than none.
  const free = withRoom(preferred) ?? (tried === null ? null : withRoom(available))
  return free === null ? null : balancer.pick(free, exchange)
}

/** Another endpoint first; those tried before again when there is no other. */
function withoutTried (available: readonly Endpoint[], tried: readonly Endpoint[]): readonly Endpoint[] {
  const others = available.filter((endpoint) => !tried.includes(endpoint))
  return others.length > 0 ? others : available
}

function withRoom (endpoints: readonly Endpoint[]): readonly Endpoint[] | null {
  const free = endpoints.filter((endpoint) => !endpoint.seats.isFull)
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
