import type { Balancer, PolicyDefinition } from '../../../types/policy.ts'
import type { Endpoint } from '../../../types/model.ts'

/**
 * Takes turns; endpoints of greater weight come more often, spread out rather than in a row (the smooth weighted round-robin
 * of nginx: everyone gains its weight each turn, the richest is picked and pays the sum of all).
 */
class RoundRobin implements Balancer {
  #list: readonly Endpoint[] = []
  #credit: number[] = []
  #total = 0
  #isEven = true
  #next = 0

  pick (available: readonly Endpoint[]): Endpoint {
    if (available !== this.#list) this.#startOver(available)
    if (this.#isEven) {
      const endpoint = available[this.#next]!
      this.#next = (this.#next + 1) % available.length
      return endpoint
    }
    let richest = 0
    for (let index = 0; index < available.length; index++) {
      this.#credit[index]! += available[index]!.weight
      if (this.#credit[index]! > this.#credit[richest]!) richest = index
    }
    this.#credit[richest]! -= this.#total
    return available[richest]!
  }

  /** A changed list is a new reference; whose turn it is starts over with it. */
  #startOver (available: readonly Endpoint[]): void {
    this.#list = available
    this.#credit = available.map(() => 0)
    this.#total = available.reduce((sum, endpoint) => sum + endpoint.weight, 0)
    this.#isEven = available.every((endpoint) => endpoint.weight === available[0]!.weight)
    this.#next = 0
  }
}

export const roundRobin: PolicyDefinition<Balancer> = {
  name: 'round-robin',
  schema: { type: 'object', additionalProperties: false },
  create: () => new RoundRobin()
}
