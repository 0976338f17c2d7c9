import type { Endpoint } from '../../types/model.ts'
import type { Timing } from './timing.ts'

/** The least share of its weight that an endpoint begins with, and the time before which more is not worth working out. Envoy's figures. */
const LEAST_SHARE = 0.1
const FIRST_STEP = 1000
/** Steps in which the weight rises: each costs every balancer a new look at the list. */
const STEPS = 20

/** The share of its weight that an endpoint has when it came `elapsed` ms ago. */
export function rampedShare (elapsed: number, window: number): number {
  return Math.min(1, Math.max(LEAST_SHARE, Math.max(elapsed, Math.min(FIRST_STEP, window * LEAST_SHARE)) / window))
}

/** Endpoints that came back lately get their traffic little by little: caches are cold, and code is not compiled yet. */
export class SlowStart {
  readonly #window: number
  readonly #timing: Timing
  readonly #changed: () => void
  readonly #since = new Map<Endpoint, number>()
  #cancel: (() => void) | null = null

  constructor (window: number, timing: Timing, changed: () => void) {
    this.#window = window
    this.#timing = timing
    this.#changed = changed
  }

  /** From here on, up to its whole weight. The caller makes the new weight known. */
  begin (endpoint: Endpoint): void {
    if (this.#window === 0 || endpoint.baseWeight === 0) return
    this.#since.set(endpoint, this.#timing.now())
    endpoint.weight = endpoint.baseWeight * rampedShare(0, this.#window)
    this.#cancel ??= this.#timing.setTimer(() => { this.#step() }, this.#window / STEPS)
  }

  close (): void {
    this.#cancel?.()
    this.#cancel = null
  }

  #step (): void {
    this.#cancel = null
    const now = this.#timing.now()
    for (const [endpoint, since] of this.#since) {
      const share = rampedShare(now - since, this.#window)
      endpoint.weight = endpoint.baseWeight * share
      if (share === 1) this.#since.delete(endpoint)
    }
    if (this.#since.size > 0) this.#cancel = this.#timing.setTimer(() => { this.#step() }, this.#window / STEPS)
    this.#changed()
  }
}
