import type { Endpoint } from '../../../types/model.ts'
import { isOptionFault, WrongResultError } from '../../model/option-result.ts'
import { unawaited } from '../../model/unawaited.ts'
import type { Timing } from '../timing.ts'
import { faultOf, type HealthConfig } from './index.ts'
import { Streak } from './streak.ts'

/** How much earlier than the interval a probe may come, so that many endpoints and many proxies do not all probe at once. */
const JITTER = 0.1
/**
 * An unhealthy endpoint is asked twice as often, and again soon once it passes: so that it is back within one interval of its being well.
 * A first failure of an endpoint of which nothing is known is looked into as soon.
 */
const UNHEALTHY_SHARE = 0.5
const CONFIRMING_SHARE = 0.1

/** Who is told. */
export interface ChecksOwner {
  /** After each probe; `fault` is null if it passed. */
  probed (endpoint: Endpoint, fault: string | null, startedAt: number): void
  becameHealthy (endpoint: Endpoint): Promise<void>
  becameUnhealthy (endpoint: Endpoint, fault: string): void
}

/** The probes of one endpoint, one after another, each over a connection of its own. */
class EndpointChecks {
  readonly #endpoint: Endpoint
  readonly #config: HealthConfig
  readonly #timing: Timing
  readonly #owner: ChecksOwner
  readonly #streak: Streak
  readonly #settled: () => void
  #cancel: (() => void) | null = null
  #isClosed = false

  constructor (endpoint: Endpoint, config: HealthConfig, timing: Timing, owner: ChecksOwner, settled: () => void) {
    this.#endpoint = endpoint
    this.#config = config
    this.#timing = timing
    this.#owner = owner
    this.#settled = settled
    this.#streak = new Streak(config.rise, config.fall)
    this.#begin()
  }

  close (): void {
    this.#isClosed = true
    this.#cancel?.()
  }

  #begin (): void {
    // Behind a fault of whoever is told, too: it must not have been the last check.
    unawaited('a health check', this.#run().finally(() => { this.#schedule() }))
  }

  #schedule (): void {
    if (!this.#isClosed) this.#cancel = this.#timing.setTimer(() => { this.#begin() }, this.#delay())
  }

  async #run (): Promise<void> {
    const startedAt = this.#timing.now()
    const fault = await this.#probe()
    if (this.#isClosed) return
    const endpoint = this.#endpoint
    const health = this.#streak.add(endpoint.health, fault === null)
    this.#owner.probed(endpoint, fault, startedAt)
    if (health !== endpoint.health) {
      if (fault === null) await this.#owner.becameHealthy(endpoint)
      else this.#owner.becameUnhealthy(endpoint, fault)
    }
    if (!this.#isClosed && endpoint.health !== 'unknown') this.#settled()
  }

  async #probe (): Promise<string | null> {
    const { path, method, headers, timeout } = this.#config
    const endpoint = this.#endpoint
    try {
      return faultOf(await endpoint.pool.probe({
        path: endpoint.basePath + path,
        method,
        headers: { host: endpoint.host, 'x-health-probe': 'true', ...headers },
        servername: endpoint.servername,
        timeout
      }), this.#config)
    } catch (error) {
      // Also what a `status` function of the user's throws: an endpoint that cannot be judged does not pass.
      return wordFor(error)
    }
  }

  #delay (): number {
    const { interval, rise } = this.#config
    const { health } = this.#endpoint
    let share = 1 - JITTER * this.#timing.random()
    if (health === 'unhealthy') share = this.#streak.isUndecided ? CONFIRMING_SHARE / Math.max(1, rise - 1) : share * UNHEALTHY_SHARE
    else if (health === 'unknown') share = CONFIRMING_SHARE
    return interval * share
  }
}

function wordFor (error: unknown): string {
  if (error instanceof WrongResultError) return error.message
  if (isOptionFault(error)) return '`health.status` has thrown'
  const { code, name } = error as { code?: unknown, name?: unknown }
  return typeof code === 'string' ? code : String(name)
}

/** The health checks of one upstream. */
export class HealthChecks {
  readonly #checks: EndpointChecks[]
  /** Resolves once every endpoint has been found healthy or unhealthy. */
  readonly firstRound: Promise<void>

  constructor (endpoints: readonly Endpoint[], config: HealthConfig, timing: Timing, owner: ChecksOwner) {
    const rounds: Promise<void>[] = []
    this.#checks = endpoints.map((endpoint) => {
      let settled!: () => void
      rounds.push(new Promise((resolve) => { settled = resolve }))
      return new EndpointChecks(endpoint, config, timing, owner, settled)
    })
    this.firstRound = Promise.all(rounds).then(() => {})
  }

  close (): void {
    for (const checks of this.#checks) checks.close()
  }
}
