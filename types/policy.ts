import type { Attempt, Endpoint, Exchange, Upstream } from './model.ts'

/** A JSON Schema, as far as the options need it; `kind` is our keyword for what JSON cannot say (functions, regular expressions). */
export interface OptionSchema {
  readonly [keyword: string]: unknown
}

/** What a policy may use of the outside world; injected, so that tests decide time and chance. */
export interface Tools {
  /** Milliseconds, monotonic. */
  readonly now: () => number
  /** In [0, 1). */
  readonly random: () => number
}

/** How every policy enters the system: a name for the options, a schema with defaults, a maker. One instance per owner. */
export interface PolicyDefinition<Policy, Options = unknown> {
  readonly name: string
  readonly schema: OptionSchema
  create (options: Options, tools: Tools): Policy
}

/**
 * Which endpoint? Never called with an empty list. A changed list, or one with changed weights, is a new reference, so what is computed from it can be kept
 * by identity. One that also has `onAttempt`, as observers have, is told how each attempt went.
 */
export interface Balancer {
  pick (available: readonly Endpoint[], exchange: Exchange): Endpoint
}

/** Try again? */
export interface RetryPolicy {
  /** Statuses that are failures too; null: none, and answers are not asked about. */
  readonly statuses: ReadonlySet<number> | null
  /** Whether any but a failure to connect may lead to another attempt of this exchange: only then is its body worth keeping. */
  mayRepeat (exchange: Exchange): boolean
  /**
   * Milliseconds to wait, or null to stop. Asked after each failure, and about each head whose status is in `statuses`; what it grants
   * is charged to the budget of the upstream.
   * @param retryAfter the answer's own Retry-After
   * @param upstream where the next attempt goes
   */
  next (attempt: Attempt, upstream: Upstream, retryAfter?: string | string[]): number | null
  /** One more exchange: what budgets are shares of. */
  earn (upstream: Upstream): void
  /** An answer goes out: it is the end of the story, and whether a good one. */
  answered (attempt: Attempt): void
}

/** Shapes a head. Synchronous; what it throws ends the exchange with `internal_error`. */
export interface Transform<Head> {
  apply (head: Head, exchange: Exchange): void
}

/**
 * What an upstream or one of its endpoints became: `ejected` and `returned` by passive judgement, `unhealthy` and `healthy` by health checks, `opened`,
 * `half-open` and `closed` by the breaker; or what it ran out of: `overflowed` (a limit refused), `exhausted` (the retry budget refused).
 */
export type UpstreamEventName = 'ejected' | 'returned' | 'unhealthy' | 'healthy' | 'opened' | 'half-open' | 'closed' | 'overflowed' | 'exhausted'

/** One change of state. Also the message of the diagnostics channel `sluice:<name>`. */
export interface UpstreamEvent {
  readonly name: UpstreamEventName
  readonly upstream: Upstream
  /** null where it is about the upstream as a whole. */
  readonly endpoint: Endpoint | null
  /** A few words that do not vary with the traffic, so that they can be counted by: `consecutive-failures`, `status 500`. */
  readonly reason: string
}

/** Told, never asked; must not throw. */
export interface Observer {
  onAttempt?: (attempt: Attempt) => void | undefined
  onExchange?: (exchange: Exchange) => void | undefined
  /** Synchronously, on whoever's call stack the change was made. */
  onEvent?: (event: UpstreamEvent) => void
  /** An upstream has been built; who answers is told of the connections to its endpoints. */
  onUpstream?: (upstream: Upstream) => ConnectionObserver
  /** The head of an answer to a request that a half-open breaker has let through is here. */
  onProbeAnswered?: (attempt: Attempt) => void
  /** One active health check is over, that began at this time. */
  onHealthCheck?: (upstream: Upstream, endpoint: Endpoint, hasPassed: boolean, startedAt: number) => void
}

/** Who ended a connection: the upstream, we for its being idle, we for another reason, or something that went wrong. */
export type ConnectionEnd = 'upstream' | 'idle' | 'proxy' | 'error'

/** Told of the connections of a pool, which several upstreams may share; must not throw. */
export interface ConnectionObserver {
  /** A connection stands, after so many milliseconds for name, TCP and TLS. */
  onConnected: (milliseconds: number, hasResumed: boolean) => void
  /** None came about; with the word of the error table. */
  onRefused: (error: string) => void
  onDisconnected: (by: ConnectionEnd) => void
}
