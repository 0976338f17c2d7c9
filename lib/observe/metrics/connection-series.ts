import type { ConnectionEnd, ConnectionObserver } from '../../../types/policy.ts'
import { elapsed } from './histogram.ts'
import type { UpstreamSeries } from './series.ts'
import { closeReasons, errors } from './words.ts'

/** Counts the connections of one upstream's pools. */
export class ConnectionSeries implements ConnectionObserver {
  readonly #series: UpstreamSeries

  constructor (series: UpstreamSeries) {
    this.#series = series
  }

  onConnected (milliseconds: number, hasResumed: boolean): void {
    this.#series.connect.observe(elapsed(0, milliseconds))
    if (hasResumed) this.#series.tlsReused++
  }

  onRefused (error: string): void {
    this.#series.connectFailures.add(errors.indexOf(error))
  }

  onDisconnected (by: ConnectionEnd): void {
    this.#series.closed[closeReasons.indexOf(by)]!++
  }
}
