import type { ProxyErrorLike } from '../../../types/model.ts'
import type { ProxyExchange } from '../../model/exchange.ts'
import type { ProxyAttempt } from '../attempt.ts'
import type { Turns } from '../limit/turns.ts'
import type { Deadlines } from '../timeouts.ts'
import { discardBody, planRetry, settleRetry } from './plan.ts'
import { proxyError, toProxyError } from '../../errors.ts'

/** Whoever sends exchanges. */
export interface RetryOwner {
  readonly deadlines: Deadlines
  readonly tracing: { end (attempt: ProxyAttempt): void, discard (exchange: ProxyExchange, error: ProxyErrorLike): void } | null
  send (exchange: ProxyExchange): void
  fail (exchange: ProxyExchange, error: ProxyErrorLike): void
}

/** What is between the attempts of an exchange: steps 5 and 6 of the forwarder. */
export class Retrying {
  readonly #owner: RetryOwner
  readonly #turns: Turns
  readonly #now: () => number

  constructor (owner: RetryOwner, turns: Turns, now: () => number) {
    this.#owner = owner
    this.#turns = turns
    this.#now = now
  }

  failed (attempt: ProxyAttempt): void {
    const { exchange, error } = attempt
    if (!this.#again(attempt)) this.giveUp(exchange, error!)
  }

  /** An answer that failed by its status: the last of them is kept, for want of a better one. */
  refused (attempt: ProxyAttempt, retryAfter: string | string[] | undefined): boolean {
    const { exchange } = attempt
    // A body that is still on its way up can be sent to one endpoint only.
    const isWritten = attempt.writtenAt !== 0
    if (!this.#again(attempt, retryAfter)) return false
    this.#owner.tracing?.end(attempt)
    exchange.kept?.dropped()
    exchange.kept = isWritten ? attempt : null
    if (!isWritten) attempt.dropped()
    return true
  }

  /** Goes back to step 3, now or in a while. */
  #again (attempt: ProxyAttempt, retryAfter?: string | string[]): boolean {
    const { exchange } = attempt
    if (exchange.isAborted || exchange.route.retry === null) return false
    const delay = planRetry(attempt, exchange.route.retry, retryAfter)
    if (delay === null) return false
    exchange.phase = 'select'
    exchange.attemptDue = Infinity
    exchange.phaseDue = this.#now() + delay
    // Not from within the answer that is being refused.
    if (delay > 0 || attempt.isKept) this.#owner.deadlines.hold(exchange)
    else this.#resend(exchange)
    return true
  }

  #resend (exchange: ProxyExchange): void {
    try {
      this.#owner.send(exchange)
    } catch (error) {
      this.giveUp(exchange, toProxyError(error, 'select'))
    }
  }

  /** Nothing more is tried: the last real answer, if there was one, or the error. */
  giveUp (exchange: ProxyExchange, error: ProxyErrorLike): void {
    const { kept } = exchange
    // The deadline is the end of everything.
    if (kept === null || exchange.isAborted || error.error === 'request_timeout') {
      this.#owner.fail(exchange, error)
      return
    }
    exchange.kept = null
    if (exchange.isHeld) this.#owner.deadlines.letGo(exchange)
    settleRetry(exchange)
    discardBody(exchange)
    this.#owner.tracing?.discard(exchange, error)
    kept.relay()
  }

  /** Whatever was left of other attempts, or waits for one. */
  forget (exchange: ProxyExchange): void {
    const { kept } = exchange
    if (exchange.tried !== null) discardBody(exchange)
    if (exchange.place !== null) this.#turns.leave(exchange)
    if (exchange.charged !== null) settleRetry(exchange)
    if (kept !== null) {
      exchange.kept = null
      kept.dropped()
    }
  }

  /** Its time between attempts, or in the queue, is over. */
  expired (exchange: ProxyExchange, now: number): void {
    if (exchange.totalDue > now && exchange.place === null) {
      this.#resend(exchange)
      return
    }
    const name = exchange.totalDue <= now ? 'request_timeout' : 'queue_timeout'
    if (exchange.place !== null) this.#turns.leave(exchange)
    this.giveUp(exchange, proxyError(name, 'select'))
  }
}

/** This is the answer: those before it are not needed any more. */
export function answeredAtLast (attempt: ProxyAttempt): void {
  const { exchange } = attempt
  exchange.route.retry?.answered(attempt)
  const { kept } = exchange
  exchange.kept = null
  kept?.dropped()
}

/** Whether the endpoint is one that others should be sent to instead. */
export function noteOutcome ({ exchange, endpoint, error, statusCode }: ProxyAttempt): void {
  if (error !== null) {
    if (error.side === 'upstream') endpoint.isFaltering = true
    return
  }
  const { retry } = exchange.route
  const isRefused = retry !== null && retry.statuses !== null && retry.statuses.has(statusCode)
  if (endpoint.isFaltering !== isRefused) endpoint.isFaltering = isRefused
}
