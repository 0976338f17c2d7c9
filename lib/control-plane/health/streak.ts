import type { Endpoint } from '../../../types/model.ts'

/** Counts results in a row: one probe that went wrong, or well, says little. */
export class Streak {
  readonly #rise: number
  readonly #fall: number
  #passed = 0
  #failed = 0

  constructor (rise: number, fall: number) {
    this.#rise = rise
    this.#fall = fall
  }

  /** Whether there have been results against the present state, and not enough of them yet. */
  get isUndecided (): boolean {
    return this.#isAgainst
  }

  #isAgainst = false

  /** @returns what the endpoint is from here on; the first that is ever known of one is believed at once if it is good */
  add (health: Endpoint['health'], isPassed: boolean): Endpoint['health'] {
    if (isPassed) {
      this.#passed++
      this.#failed = 0
      if (health === 'unknown' || this.#passed >= this.#rise) health = 'healthy'
    } else {
      this.#failed++
      this.#passed = 0
      if (this.#failed >= this.#fall) health = 'unhealthy'
    }
    this.#isAgainst = health === 'unknown' || (health === 'healthy') !== isPassed
    return health
  }
}
