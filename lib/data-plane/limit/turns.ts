import type { Seats, Upstream } from '../../../types/model.ts'
import type { ProxyExchange } from '../../model/exchange.ts'
import type { ProxyUpstream } from '../../model/upstream.ts'
import { announce } from '../../observe/events.ts'
import type { Deadlines } from '../timeouts.ts'
import { chooseEndpoint, unwatchSeats, watchSeats } from './choose.ts'
import { proxyError, toProxyError } from '../../errors.ts'
import type { Endpoint, ProxyErrorLike } from '../../../types/model.ts'

/** Whoever goes on when it is an exchange's turn. */
export interface TurnTaker {
  readonly deadlines: Deadlines
  begin (exchange: ProxyExchange, endpoint: Endpoint): void
  giveUp (exchange: ProxyExchange, error: ProxyErrorLike): void
}

/**
 * Lets exchanges wait for an endpoint with room, in the order in which they came, so that nothing ever waits in undici's queue, which
 * has no bound in number or time, nor a way out for a client that leaves.
 */
export class Turns {
  readonly #taker: TurnTaker
  readonly #now: () => number
  /** Seats that somebody left in this turn of the event loop. */
  #left = new Set<Seats>()

  constructor (taker: TurnTaker, now: () => number) {
    this.#taker = taker
    this.#now = now
  }

  /** Which endpoint the exchange goes to; null if it has to wait, since all are busy or others came first. */
  next (exchange: ProxyExchange): Endpoint | null {
    const { load, limits } = exchange.upstream
    return load.pending > 0 || load.active >= limits.active ? null : chooseEndpoint(exchange, this.#now)
  }

  /**
   * Puts the exchange at the end of the line.
   * @throws ProxyError `upstream_overflow` if that is too long already
   */
  wait (exchange: ProxyExchange): void {
    const upstream = exchange.upstream as ProxyUpstream
    const { load, limits, line } = upstream
    if (load.pending >= limits.pending) {
      announce(upstream, 'overflowed', null, load.active >= limits.active ? 'active' : 'connections')
      throw proxyError('upstream_overflow', 'select')
    }
    const now = this.#now()
    line.enter(exchange, now)
    exchange.phase = 'select'
    exchange.attemptDue = Infinity
    exchange.phaseDue = now + limits.queueTimeout
    this.#taker.deadlines.hold(exchange)
    if (load.pending === 1) {
      watchSeats(upstream)
      upstream.waker = this
    }
    // What endpoints are available may have changed, and those seats may be free that nobody was told of.
    this.wake(upstream)
  }

  /** Endpoints that come back bring seats that nobody leaves. */
  wake ({ state }: Upstream): void {
    for (const { seats } of state.endpoints) this.left(seats)
  }

  /** The exchange gives its place up, for whatever reason. */
  leave (exchange: ProxyExchange): void {
    const upstream = exchange.upstream as ProxyUpstream
    upstream.line.leave(exchange.place!, this.#now())
    if (upstream.load.pending > 0) return
    unwatchSeats(upstream)
    upstream.waker = null
  }

  /** A seat is about to be free: two turns on it is, whoever it was that had it. */
  left (seats: Seats): void {
    this.#left.add(seats)
    if (this.#left.size === 1) setImmediate(() => setImmediate(() => { this.#callUp() }))
  }

  #callUp (): void {
    const left = this.#left
    this.#left = new Set()
    const upstreams = new Set<Upstream>()
    for (const seats of left) {
      seats.settle()
      for (const upstream of seats.waiting ?? []) upstreams.add(upstream)
    }
    for (const upstream of upstreams) this.#serve(upstream as ProxyUpstream)
  }

  #serve (upstream: ProxyUpstream): void {
    const { load, limits, line } = upstream
    while (line.first !== null && load.active < limits.active) {
      const place = line.first
      const { exchange } = place
      try {
        const endpoint = chooseEndpoint(exchange, this.#now)
        if (endpoint === null) return
        this.leave(exchange)
        place.runInAsyncScope(this.#taker.begin, this.#taker, exchange, endpoint)
      } catch (error) {
        if (exchange.place !== null) this.leave(exchange)
        place.runInAsyncScope(this.#taker.giveUp, this.#taker, exchange, toProxyError(error, 'select'))
      }
    }
  }
}
