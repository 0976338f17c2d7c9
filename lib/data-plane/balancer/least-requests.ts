import type { Balancer, PolicyDefinition } from '../../../types/policy.ts'
import type { Endpoint, Exchange } from '../../../types/model.ts'
import { Rotations } from './rotation.ts'

/**
 * Looks at all and takes the least busy for its weight. Exact where power-of-two is near enough, at a cost that grows with the number of
 * endpoints; and several proxies that see the same idle endpoint all run to it.
 *
 * Two are equally busy unless one of them, with this request on top, is still no busier for its weight than the other is now. Those have
 * turns by weight: else the heaviest of idle endpoints, or whoever happens to stand behind a busy one, would get all of a light load.
 */
class LeastRequests implements Balancer {
  readonly #rotations = new Rotations()

  pick (available: readonly Endpoint[], exchange: Exchange): Endpoint {
    let least = available[0]!
    for (let index = 1; index < available.length; index++) {
      const other = available[index]!
      if ((other.active + 1) * least.weight < (least.active + 1) * other.weight) least = other
    }
    return available.length === 1 ? least : this.#rotations.for(available, exchange).takeIdlest(available, least)
  }
}

export const leastRequests: PolicyDefinition<Balancer> = {
  name: 'least-requests',
  schema: { type: 'object', additionalProperties: false },
  create: () => new LeastRequests()
}
