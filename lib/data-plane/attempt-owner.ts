import type { Payload } from '../model/exchange.ts'
import type { Silence } from './pool/connection.ts'
import type { ProxyAttempt } from './attempt.ts'
import type { TunnelOwner } from './upgrade/tunnel.ts'

/** Whoever began an attempt, and goes on from it. */
export interface AttemptOwner extends TunnelOwner {
  readonly tracing: Silence | null
  /** The head is there, and the body whole, or as a stream. */
  answered (attempt: ProxyAttempt, headers: Record<string, string | string[]>, payload: Payload): void
  /** It came to nothing, before anything of the answer was handed over. */
  failed (attempt: ProxyAttempt): void
  /** The body broke off after its head was handed over. */
  broke (attempt: ProxyAttempt): void
  /** It is over, well or not. */
  ended (attempt: ProxyAttempt): void
}
