import type { Balancer } from '../../../types/policy.ts'
import type { Endpoint, Exchange } from '../../../types/model.ts'

/** A balancer that the options brought. What it picks is checked: an endpoint from elsewhere would have its load counted, and not ejected. */
export class UserBalancer implements Balancer {
  readonly #balancer: Balancer

  constructor (balancer: Balancer) {
    this.#balancer = balancer
  }

  pick (available: readonly Endpoint[], exchange: Exchange): Endpoint {
    const endpoint = this.#balancer.pick(available, exchange)
    if (!available.includes(endpoint)) throw new TypeError('the balancer picked something that is not one of the available endpoints')
    return endpoint
  }
}
