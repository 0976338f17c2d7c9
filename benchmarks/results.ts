import type { Measured } from './wrk.ts'

/** Everything one `npm run bench` has found out; results/*.json holds it. */
export interface Results {
  readonly started: string
  readonly machine: Readonly<Record<string, string | number>>
  readonly versions: Readonly<Record<string, string>>
  readonly settings: Settings
  readonly entrants: readonly Entrant[]
  readonly runs: readonly Run[]
  readonly exclusions: readonly Exclusion[]
}

export interface Settings {
  readonly rounds: number
  readonly seconds: number
  /** Whether the proxy had a core to itself. */
  readonly pinned: boolean
  readonly origin: string
}

export interface Entrant {
  readonly name: string
  readonly features: string
  /** Why it did not take part at all, or null. */
  readonly absence: string | null
  /** Checks it fails outside the scenarios' own paths. */
  readonly faults: readonly string[]
}

export interface Run extends Measured {
  readonly scenario: string
  readonly contender: string
  readonly round: number
  /** CPU time of the proxy in this run, in microseconds; null where there is no proxy. */
  readonly cpu: number | null
  /** Share of the proxy's core that other processes took meanwhile; null where nothing is pinned. */
  readonly foreign: number | null
}

export interface Exclusion {
  readonly scenario: string
  readonly contender: string
  readonly reason: string
}

/** The load straight at the origin, without a proxy. */
export const direct = 'direct'
