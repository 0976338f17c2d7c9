import type { FastifyBaseLogger } from 'fastify'
import type { Upstream } from '../../types/model.ts'
import type { Observer, UpstreamEvent, UpstreamEventName } from '../../types/policy.ts'

/** Milliseconds for which an upstream that refuses is spoken of once: it refuses every request that is too much, and a line for each would be too much again. */
const QUIET = 10_000

/** What is lost is a warning, what comes back is not. */
const lines: Readonly<Record<UpstreamEventName, { readonly level: 'info' | 'warn', readonly message: string }>> = {
  ejected: { level: 'warn', message: 'endpoint ejected' },
  returned: { level: 'info', message: 'endpoint returned' },
  unhealthy: { level: 'warn', message: 'endpoint unhealthy' },
  healthy: { level: 'info', message: 'endpoint healthy' },
  opened: { level: 'warn', message: 'breaker opened' },
  'half-open': { level: 'info', message: 'breaker half-open' },
  closed: { level: 'info', message: 'breaker closed' },
  overflowed: { level: 'warn', message: 'upstream overflowed' },
  exhausted: { level: 'warn', message: 'retry budget exhausted' }
}

interface Quiet {
  until: number
  /** How often it came since the last line. */
  times: number
}

/** One line for each change of state; refusals, which come with requests, are counted and told every ten seconds at most. */
export class EventLog implements Observer {
  readonly #log: FastifyBaseLogger
  readonly #now: () => number
  readonly #quiet = new WeakMap<Upstream, Map<UpstreamEventName, Quiet>>()

  constructor (log: FastifyBaseLogger, now: () => number) {
    this.#log = log
    this.#now = now
  }

  onEvent ({ name, upstream, endpoint, reason }: UpstreamEvent): void {
    const times = endpoint === null ? this.#timesToTell(upstream, name) : 1
    if (times === 0) return
    const { level, message } = lines[name]
    const { available, endpoints } = upstream.state
    const fields = { upstream: upstream.name, event: name, reason, available: available.length, endpoints: endpoints.length }
    try {
      this.#log[level](endpoint === null ? { ...fields, times } : { ...fields, endpoint: endpoint.origin + endpoint.basePath }, message)
    } catch {
      // The app's stream. Whoever announces is in the middle of an attempt, or of bringing an endpoint back, which must not end here.
    }
  }

  /** 0 while it was told a short time ago. */
  #timesToTell (upstream: Upstream, name: UpstreamEventName): number {
    let names = this.#quiet.get(upstream)
    if (names === undefined) {
      names = new Map()
      this.#quiet.set(upstream, names)
    }
    let quiet = names.get(name)
    if (quiet === undefined) {
      quiet = { until: 0, times: 0 }
      names.set(name, quiet)
    }
    const now = this.#now()
    quiet.times++
    if (now < quiet.until) return 0
    quiet.until = now + QUIET
    const { times } = quiet
    quiet.times = 0
    return times
  }
}
