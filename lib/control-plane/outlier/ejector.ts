import type { Attempt, Endpoint, Upstream } from '../../../types/model.ts'
import { unawaited } from '../../model/unawaited.ts'
import { announce } from '../../observe/events.ts'
import { hasWeight } from '../availability.ts'
import type { Timing } from '../timing.ts'
import { judge, type Judgement } from './judgement.ts'
import type { OutlierConfig } from './index.ts'
import { EndpointRecord, SLICES } from './record.ts'

/** Ejections last up to this much longer, so that endpoints that went together do not all come back together. */
const JITTER = 0.1
/**
 * How often an endpoint that could not be connected to is tried by connecting. That costs no client anything, so there is no reason to
 * wait the whole ejection: a process that was restarted is back in half a second.
 */
const RECONNECT_INTERVAL = 500

/** How an ejected endpoint comes back. */
export interface EjectorOwner {
  /** Opens connections to it. @returns whether that worked */
  prewarm (endpoint: Endpoint): Promise<boolean>
  /** It may take traffic again. */
  returned (endpoint: Endpoint): void
}

interface Ejection {
  cause: NonNullable<Judgement>
  /** A health check has seen what was wrong, so one that passes means something. */
  isSeenByProbes: boolean
  cancel: () => void
}

/** Ejects endpoints that fail real attempts, and brings them back. Never the only one: there is nothing to turn to. */
export class Ejector {
  readonly #upstream: Upstream
  readonly #config: OutlierConfig
  readonly #timing: Timing
  readonly #owner: EjectorOwner
  readonly #records = new Map<Endpoint, EndpointRecord>()
  readonly #ejections = new Map<Endpoint, Ejection>()
  /** Endpoints whose last health check failed. */
  readonly #failingChecks = new Set<Endpoint>()
  #cancelTurn: (() => void) | null = null
  #isClosed = false
  /** Ejections that were due, and not made because too many were out already. */
  overflows = 0

  constructor (upstream: Upstream, config: OutlierConfig, timing: Timing, owner: EjectorOwner) {
    this.#upstream = upstream
    this.#config = config
    this.#timing = timing
    this.#owner = owner
    for (const endpoint of upstream.state.endpoints) this.#records.set(endpoint, new EndpointRecord())
  }

  /** Called for every attempt: two look-ups and a few additions when it went well. */
  observe (attempt: Attempt): void {
    const judgement = judge(attempt)
    const record = this.#records.get(attempt.endpoint)
    if (judgement === null || record === undefined || attempt.startedAt < record.since) return
    const reason = record.add(judgement, this.#config)
    if (reason !== null) this.#eject(attempt.endpoint, record, judgement, reason)
    if (this.#cancelTurn === null && !this.#isClosed) this.#cancelTurn = this.#timing.setTimer(() => { this.#turn() }, this.#config.window / SLICES)
  }

  /** Hears the result of a health check. One that passes lifts an ejection that it can speak to, and that began before the check did. */
  probed (endpoint: Endpoint, isPassed: boolean, startedAt: number): void {
    if (isPassed) this.#failingChecks.delete(endpoint)
    else this.#failingChecks.add(endpoint)
    const ejection = this.#ejections.get(endpoint)
    if (ejection === undefined) return
    if (!isPassed) {
      ejection.isSeenByProbes = true
      return
    }
    const canSpeakToIt = ejection.isSeenByProbes || ejection.cause === 'refused'
    if (canSpeakToIt && startedAt >= this.#records.get(endpoint)!.since) this.#beginReturn(endpoint, ejection)
  }

  /** How often this endpoint was ejected without a quiet time in between. */
  ejectionsOf (endpoint: Endpoint): number {
    return this.#records.get(endpoint)?.ejections ?? 0
  }

  close (): void {
    this.#isClosed = true
    this.#cancelTurn?.()
    for (const { cancel } of this.#ejections.values()) cancel()
  }

  #eject (endpoint: Endpoint, record: EndpointRecord, cause: NonNullable<Judgement>, reason: string): void {
    // Attempts that were under way when it was ejected still fail.
    if (this.#isClosed || this.#ejections.has(endpoint)) return
    if (this.#ejections.size >= this.#mostEjected()) {
      this.overflows++
      return
    }
    const { baseEjection, maxEjection } = this.#config
    record.ejections++
    record.since = this.#timing.now()
    const time = Math.min(baseEjection * record.ejections, maxEjection) * (1 + JITTER * this.#timing.random())
    endpoint.ejectedUntil = this.#timing.now() + time
    const ejection: Ejection = { cause, isSeenByProbes: this.#failingChecks.has(endpoint), cancel: () => {} }
    this.#ejections.set(endpoint, ejection)
    this.#schedule(endpoint, ejection)
    this.#upstream.refresh()
    announce(this.#upstream, 'ejected', endpoint, reason)
  }

  #mostEjected (): number {
    const { maxEjectedShare } = this.#config
    const count = this.#upstream.state.endpoints.filter(hasWeight).length
    if (count === 1 || maxEjectedShare === 0) return 0
    // One may always go: a share that rounds to none cannot be meant.
    return Math.max(1, Math.floor(count * maxEjectedShare))
  }

  #schedule (endpoint: Endpoint, ejection: Ejection): void {
    const rest = Math.max(0, endpoint.ejectedUntil - this.#timing.now())
    const delay = ejection.cause === 'refused' ? Math.min(rest, RECONNECT_INTERVAL) : rest
    ejection.cancel = this.#timing.setTimer(() => { this.#beginReturn(endpoint, ejection) }, delay)
  }

  #beginReturn (endpoint: Endpoint, ejection: Ejection): void {
    unawaited('the return of an ejected endpoint', this.#tryReturn(endpoint, ejection))
  }

  async #tryReturn (endpoint: Endpoint, ejection: Ejection): Promise<void> {
    ejection.cancel()
    const isConnected = await this.#owner.prewarm(endpoint)
    if (this.#isClosed || this.#ejections.get(endpoint) !== ejection) return
    ejection.cancel()
    if (!isConnected) {
      // Nobody would be served by its return; from here on it is back as soon as it can be connected to.
      ejection.cause = 'refused'
      endpoint.ejectedUntil = Math.max(endpoint.ejectedUntil, this.#timing.now() + RECONNECT_INTERVAL)
      this.#schedule(endpoint, ejection)
      return
    }
    this.#ejections.delete(endpoint)
    const record = this.#records.get(endpoint)!
    record.forgive()
    record.since = this.#timing.now()
    endpoint.ejectedUntil = 0
    this.#owner.returned(endpoint)
  }

  #turn (): void {
    this.#cancelTurn = null
    let isNeeded = false
    for (const record of this.#records.values()) isNeeded = record.turn() || isNeeded
    if (isNeeded) this.#cancelTurn = this.#timing.setTimer(() => { this.#turn() }, this.#config.window / SLICES)
  }
}
