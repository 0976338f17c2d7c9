import type { ProxyExchange } from './exchange.ts'

/**
 * An exchange whose bytes go on to pass for a while, an upload, a stream or a tunnel, and how many of them the metrics have counted so far.
 */
export class Flow {
  readonly exchange: ProxyExchange
  bytesIn = 0
  bytesOut = 0

  constructor (exchange: ProxyExchange) {
    this.exchange = exchange
  }
}

/**
 * Lets the metrics see the bytes of an exchange before its end.
 * @param flows those that are open; null where nobody counts
 */
export function openFlow (flows: Set<Flow> | null, exchange: ProxyExchange): void {
  // Once the client's side is over, nothing would take it off again.
  if (flows === null || exchange.flow !== null || exchange.endedAt !== 0) return
  exchange.flow = new Flow(exchange)
  flows.add(exchange.flow)
}
