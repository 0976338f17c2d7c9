import type { RetryPolicy } from '../../../types/policy.ts'
import type { ProxyExchange } from '../../model/exchange.ts'
import type { ProxyAttempt } from '../attempt.ts'
import { RequestBody } from '../request-body.ts'

/**
 * Asks the policy for another attempt, and readies the exchange for it.
 * @returns milliseconds to wait; null if this was the last
 */
export function planRetry (attempt: ProxyAttempt, policy: RetryPolicy, retryAfter: string | string[] | undefined): number | null {
  const { exchange, error } = attempt
  const { canary } = exchange
  const upstream = canary !== null && canary.fallback ? exchange.route.upstream : exchange.upstream
  const delay = policy.next(attempt, upstream, retryAfter)
  if (delay === null) return null
  // It was stale, perhaps; and the next one must not be.
  if (attempt.reused && error !== null && error.error === 'connection_terminated') attempt.client!.cutIdle()
  settleRetry(exchange)
  exchange.upstream = upstream
  exchange.charged = upstream
  upstream.load.retrying++
  if (exchange.tried === null) exchange.tried = [attempt.endpoint]
  else exchange.tried.push(attempt.endpoint)
  exchange.bytesOut = 0
  const outgoing = exchange.outgoing!
  if (outgoing.body instanceof RequestBody) outgoing.body = outgoing.body.renewed()
  return delay
}

/** The retry is over, or never came to be. */
export function settleRetry (exchange: ProxyExchange): void {
  if (exchange.charged === null) return
  exchange.charged.load.retrying--
  exchange.charged = null
}

/** Of a body that was readied for an attempt that was not made, nobody else reads the rest. */
export function discardBody ({ outgoing }: ProxyExchange): void {
  if (outgoing !== null && outgoing.body instanceof RequestBody) outgoing.body.destroy()
}
