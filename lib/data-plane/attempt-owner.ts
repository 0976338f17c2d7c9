import type { Endpoint } from '../../types/model.ts'
import type { Payload } from '../model/exchange.ts'
import type { Silence } from './pool/connection.ts'
import type { ProxyAttempt } from './attempt.ts'
import type { TunnelOwner } from './upgrade/tunnel.ts'

/** Whoever began an attempt, and goes on from it. */
export interface AttemptOwner extends TunnelOwner {
  readonly tracing: Silence | null
  /** The head is there, and the body whole, or as a stream. */
  answered (attempt: ProxyAttempt, headers: Record<string, string | string[]>, payload: Payload): void
  /**
   * The status of its answer is one that the route would rather not hand over.
   * @returns whether it is kept back, for another attempt will be made
   */
  refused (attempt: ProxyAttempt, headers: Record<string, string | string[]>): boolean
  /** It came to nothing, before anything of the answer was handed over. */
  failed (attempt: ProxyAttempt): void
  /** The body broke off after its head was handed over. */
  broke (attempt: ProxyAttempt): void
  /** It is over, well or not. */
  ended (attempt: ProxyAttempt): void
  /** Its seat is free, for which somebody waits. */
  left (attempt: { readonly endpoint: Endpoint }): void
}
