import type { Balancer, Tools } from '../../../types/policy.ts'
import type { Endpoint, Exchange } from '../../../types/model.ts'

/** In front of the balancer of an upstream with priorities: draws the priority, and lets the balancer pick of its endpoints. */
export class TieredBalancer implements Balancer {
  readonly #balancer: Balancer
  readonly #random: Tools['random']

  constructor (balancer: Balancer, random: Tools['random']) {
    this.#balancer = balancer
    this.#random = random
  }

  pick (available: readonly Endpoint[], exchange: Exchange): Endpoint {
    const { state } = exchange.upstream
    if (state.tiers === null) return this.#balancer.pick(available, exchange)
    const place = this.#random()
    const tier = state.tiers.find(({ upTo }) => place < upTo) ?? state.tiers.at(-1)!
    if (available === state.available) return this.#balancer.pick(tier.available, exchange)
    // A retry, or what is busy was left out: of the same priority if there is one.
    const rest = available.filter((endpoint) => tier.available.includes(endpoint))
    return this.#balancer.pick(rest.length > 0 ? rest : available, exchange)
  }
}
