import type { Attempt, Endpoint, Upstream } from '../../types/model.ts'
import type { Observer } from '../../types/policy.ts'
import { announce } from '../observe/events.ts'
import { availabilityOf } from './availability.ts'
import { HealthChecks, type ChecksOwner } from './health/checks.ts'
import type { HealthConfig } from './health/index.ts'
import { Ejector, type EjectorOwner } from './outlier/ejector.ts'
import type { OutlierConfig } from './outlier/index.ts'
import { SlowStart } from './slow-start.ts'
import type { Timing } from './timing.ts'

export interface MonitorConfig {
  readonly health: false | HealthConfig
  readonly outlier: false | OutlierConfig
  /** Milliseconds; 0 is none. */
  readonly slowStart: number
  readonly pool: { readonly warm: number }
}

/** The results of an endpoint's health checks so far. */
export interface ProbeCounts {
  passed: number
  failed: number
  /** What was wrong with the last; null if it passed, or there was none. */
  lastFault: string | null
}

/**
 * Watches over one upstream: owns its timers, hears of its attempts, and is the only one that writes its `state`. What is available is
 * worked out when something has changed, never for a request.
 */
export class UpstreamMonitor implements Observer, ChecksOwner, EjectorOwner {
  readonly upstream: Upstream
  readonly ejector: Ejector | null
  readonly probes: Map<Endpoint, ProbeCounts> = new Map()
  readonly #config: MonitorConfig
  readonly #timing: Timing
  readonly #slowStart: SlowStart
  #checks: HealthChecks | null = null

  constructor (upstream: Upstream, config: MonitorConfig, timing: Timing) {
    this.upstream = upstream
    this.#config = config
    this.#timing = timing
    this.#slowStart = new SlowStart(config.slowStart, timing, () => { this.#refresh(true) })
    this.ejector = config.outlier === false ? null : new Ejector(upstream, config.outlier, timing, this)
    upstream.refresh = () => { this.#refresh(false) }
    if (this.ejector !== null) upstream.state = { ...upstream.state, observers: [...upstream.state.observers, this] }
    this.#refresh(false)
  }

  onAttempt (attempt: Attempt): void {
    this.ejector!.observe(attempt)
  }

  /** Begins to check. Resolves when the first round is through, or has taken as long as it may. */
  async start (): Promise<void> {
    const { health } = this.#config
    if (health === false || this.#checks !== null) return
    for (const endpoint of this.upstream.state.endpoints) this.probes.set(endpoint, { passed: 0, failed: 0, lastFault: null })
    const checks = this.#checks = new HealthChecks(this.upstream.state.endpoints, health, this.#timing, this)
    if (health.waitForHealthy === 0) return
    let cancel!: () => void
    const isLate = new Promise<void>((resolve) => { cancel = this.#timing.setTimer(resolve, health.waitForHealthy) })
    await Promise.race([checks.firstRound, isLate])
    cancel()
  }

  close (): void {
    this.#checks?.close()
    this.ejector?.close()
    this.#slowStart.close()
  }

  probed (endpoint: Endpoint, fault: string | null, startedAt: number): void {
    const counts = this.probes.get(endpoint)!
    if (fault === null) counts.passed++
    else counts.failed++
    counts.lastFault = fault
    for (const observer of this.upstream.state.observers) observer.onHealthCheck?.(this.upstream, endpoint, fault === null, startedAt)
    this.ejector?.probed(endpoint, fault === null, startedAt)
  }

  async becameHealthy (endpoint: Endpoint): Promise<void> {
    const wasUnhealthy = endpoint.health === 'unhealthy'
    // The probe has just connected; should this not, the next request's own failure will tell.
    if (wasUnhealthy) await this.prewarm(endpoint)
    endpoint.health = 'healthy'
    if (!wasUnhealthy) return
    this.#slowStart.begin(endpoint)
    this.#refresh(true)
    announce(this.upstream, 'healthy', endpoint, 'health check')
  }

  becameUnhealthy (endpoint: Endpoint, fault: string): void {
    endpoint.health = 'unhealthy'
    this.#refresh(false)
    announce(this.upstream, 'unhealthy', endpoint, fault)
  }

  prewarm (endpoint: Endpoint): Promise<boolean> {
    return endpoint.pool.prewarm(Math.max(1, this.#config.pool.warm))
  }

  returned (endpoint: Endpoint): void {
    this.#slowStart.begin(endpoint)
    this.#refresh(true)
    announce(this.upstream, 'returned', endpoint, 'ejection')
  }

  #refresh (hasNewWeights: boolean): void {
    this.#reckon(hasNewWeights)
    // Also where the list is what it was: a breaker that closes takes more at a time.
    this.upstream.waker?.wake(this.upstream)
  }

  /** A list that has not changed stays the same object, and what balancers know of it stays too. */
  #reckon (hasNewWeights: boolean): void {
    const { state } = this.upstream
    const next = availabilityOf(state.endpoints)
    const isSame = next.isPanic === state.isPanic && (next.tiers === null) === (state.tiers === null) && next.available.length === state.available.length && next.available.every((endpoint, index) => endpoint === state.available[index])
    if (isSame && !hasNewWeights) return
    this.upstream.state = { ...state, ...next }
  }
}
