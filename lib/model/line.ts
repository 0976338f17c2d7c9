import { AsyncResource } from 'node:async_hooks'
import type { UpstreamLoad } from './load.ts'
import type { ProxyExchange } from './exchange.ts'

/** An exchange's place in a line. Whoever calls it up does so from some other exchange's call stack: this is its own async scope. */
export class Place extends AsyncResource {
  readonly exchange: ProxyExchange
  readonly enteredAt: number
  ahead: Place | null
  behind: Place | null = null

  constructor (exchange: ProxyExchange, enteredAt: number, ahead: Place | null) {
    super('SLUICE_PLACE')
    this.exchange = exchange
    this.enteredAt = enteredAt
    this.ahead = ahead
  }
}

/** Exchanges in the order in which they came. Whoever leaves, from anywhere in it, leaves nothing behind. */
export class Line {
  first: Place | null = null
  #last: Place | null = null
  readonly #load: UpstreamLoad

  /** @param load where its length is told */
  constructor (load: UpstreamLoad) {
    this.#load = load
  }

  enter (exchange: ProxyExchange, now: number): void {
    const place = new Place(exchange, now, this.#last)
    if (this.#last === null) this.first = place
    else this.#last.behind = place
    this.#last = place
    exchange.place = place
    this.#load.pending++
  }

  leave (place: Place, now: number): void {
    const { exchange, ahead, behind } = place
    if (ahead === null) this.first = behind
    else ahead.behind = behind
    if (behind === null) this.#last = ahead
    else behind.ahead = ahead
    exchange.place = null
    exchange.queueTime += now - place.enteredAt
    this.#load.pending--
  }
}
