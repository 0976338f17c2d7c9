import type { Attempt, Endpoint, Exchange } from './model.ts'

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

/** Which endpoint? Never called with an empty list. A changed list is a new reference, so what is computed from it can be kept by identity. */
export interface Balancer {
  pick (available: readonly Endpoint[], exchange: Exchange): Endpoint
}

/** Try again? Milliseconds to wait, or null to stop. */
export interface RetryPolicy {
  next (attempt: Attempt): number | null
}

/** Shapes a head. Synchronous; what it throws ends the exchange with `internal_error`. */
export interface Transform<Head> {
  apply (head: Head, exchange: Exchange): void
}

/** Told, never asked; must not throw. */
export interface Observer {
  onAttempt?: (attempt: Attempt) => void
  onExchange?: (exchange: Exchange) => void
}
