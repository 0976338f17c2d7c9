import process from 'node:process'
import type { Balancer, Observer } from '../../../types/policy.ts'
import type { Attempt, Endpoint, Exchange } from '../../../types/model.ts'
import { checkSynchronous, named, wrongResult } from '../../model/option-result.ts'

/** A balancer that the options brought. What it picks is checked: an endpoint from elsewhere would have its load counted, and not ejected. */
export class UserBalancer implements Balancer, Observer {
  readonly #balancer: Balancer & Observer
  readonly #pick: Balancer['pick']
  #list: readonly Endpoint[] = []
  /** What it is shown of the list: it may be sorted, or worse, and everybody else reads the original. */
  #shown: readonly Endpoint[] = []
  #hasWarned = false

  constructor (balancer: Balancer) {
    this.#balancer = balancer
    this.#pick = named('balancer.pick', 'select', (available, exchange) => balancer.pick(available, exchange))
  }

  get learns (): boolean {
    return typeof this.#balancer.onAttempt === 'function'
  }

  pick (available: readonly Endpoint[], exchange: Exchange): Endpoint {
    if (available !== this.#list) {
      this.#list = available
      this.#shown = [...available]
    }
    const endpoint = this.#pick(this.#shown, exchange)
    if (!available.includes(endpoint)) throw wrongResult('balancer.pick', 'one of the available endpoints', endpoint)
    return endpoint
  }

  /** What it throws would leave the exchange without an end: it is told in the middle of one. */
  onAttempt (attempt: Attempt): void {
    try {
      checkSynchronous('balancer.onAttempt', this.#balancer.onAttempt!(attempt))
    } catch (error) {
      if (this.#hasWarned) return
      this.#hasWarned = true
      process.emitWarning(`the balancer of upstream '${attempt.upstream.name}' fails in onAttempt: ${String(error)}`, 'SluiceWarning')
    }
  }
}
