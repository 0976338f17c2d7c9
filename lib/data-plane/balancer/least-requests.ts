import type { Balancer, PolicyDefinition } from '../../../types/policy.ts'
import type { Endpoint } from '../../../types/model.ts'

/**
 * Looks at all and takes the least busy for its weight. Exact where power-of-two is near enough, at a cost that grows with the number of
 * endpoints; and several proxies that see the same idle endpoint all run to it.
 */
class LeastRequests implements Balancer {
  /** Where the walk begins: ties go round, or the first endpoint would get all of a light load. */
  #start = 0

  pick (available: readonly Endpoint[]): Endpoint {
    const count = available.length
    let index = this.#start = (this.#start + 1) % count
    let least = available[index]!
    for (let seen = 1; seen < count; seen++) {
      if (++index === count) index = 0
      const other = available[index]!
      // With this request on top, so that of idle ones the heavier comes first.
      if ((other.active + 1) * least.weight < (least.active + 1) * other.weight) least = other
    }
    return least
  }
}

export const leastRequests: PolicyDefinition<Balancer> = {
  name: 'least-requests',
  schema: { type: 'object', additionalProperties: false },
  create: () => new LeastRequests()
}
