import type { Load } from '../../../types/model.ts'

/**
 * What is in hand at the start and at most: enough for the odd failure of a quiet upstream. With the deposits below, 1,000 requests that
 * all fail are 1,200 at the upstream and no more, at 100 a second: 20 + 0.85 * 200 + 1 a second.
 */
const RESERVE = 20
/** How much of its share of a retry each exchange pays in. */
const DEPOSIT = 0.85
/** Retries per second that come for nothing, so that a quiet upstream is not without any for ever. */
const REFILL = 1
/** How many retries may be under way that are borrowed, for a share of 1. Paid back by what comes of them. */
const LOAN = 500

/**
 * Bounds what retries add to the load of an upstream: at one time by the share of what is under way (Envoy's rule), in the long run by
 * the same share of all exchanges, which the first alone does not: where a failing upstream is quick and the traffic thin, there is
 * always room for three at a time. A retry that brings an answer costs nothing in the end: what is bounded is the waste.
 *
 * Where there is another endpoint that is well, the failure is that of one endpoint, and with it fails, at once, whatever it had. That is
 * a multiple of any share, and goes on loan.
 */
export class Budget {
  readonly #share: number
  readonly #minimum: number
  readonly #reserve: number
  readonly #deposit: number

  constructor (share: number, minimum: number) {
    this.#share = share
    this.#minimum = minimum
    this.#reserve = share === 0 && minimum === 0 ? 0 : RESERVE
    this.#deposit = share * DEPOSIT
  }

  earn (load: Load): void {
    if (load.credit < this.#reserve) load.credit += this.#deposit
  }

  /** @param hasOther whether another endpoint is well, and not tried yet */
  take (load: Load, hasOther: boolean, now: number): boolean {
    if (this.#reserve === 0) return false
    if (load.credit < this.#reserve && this.#minimum > 0) load.credit = Math.min(this.#reserve, load.credit + (now - load.creditAt) / 1000 * REFILL)
    load.creditAt = now
    if (hasOther) {
      if (load.credit <= -LOAN * this.#share) return false
    } else {
      if (load.credit < 1) return false
      if (load.retrying >= Math.max(this.#minimum, Math.floor(this.#share * (load.active + load.pending)))) return false
    }
    load.credit--
    return true
  }

  giveBack (load: Load): void {
    if (load.credit < this.#reserve) load.credit++
  }
}
