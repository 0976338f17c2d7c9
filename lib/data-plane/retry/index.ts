import type { Attempt, ProxyErrorLike } from '../../../types/model.ts'
import type { RetryPolicy } from '../../../types/policy.ts'
import { isIdempotent } from './idempotent.ts'

/**
 * Once more, at once, where that cannot do harm: after a failure before anything was sent, whatever the method; and after a
 * reset on a connection that had been idle, before any byte of an answer, if the method is idempotent (RFC 9110 9.2.2) and
 * the body can be sent again. undici itself never does (nodejs/undici#3492).
 */
class ConnectOrStale implements RetryPolicy {
  next (attempt: Attempt): number | null {
    if (attempt.number > 1 || attempt.error === null || !attempt.exchange.isReplayable) return null
    return isConnectFailure(attempt.error) || isStale(attempt) ? 0 : null
  }
}

function isConnectFailure (error: ProxyErrorLike): boolean {
  return error.side === 'upstream' && !error.sent && error.phase === 'connect'
}

/** The connection had worked before, and closed without a word of this answer: closed for being idle, most likely. */
function isStale (attempt: Attempt): boolean {
  return attempt.error!.error === 'connection_terminated' && attempt.reused && attempt.headAt === 0 &&
    isIdempotent(attempt.exchange.method)
}

export const connectOrStale: RetryPolicy = new ConnectOrStale()
