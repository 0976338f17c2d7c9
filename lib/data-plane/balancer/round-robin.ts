import type { Balancer, PolicyDefinition } from '../../../types/policy.ts'
import type { Endpoint, Exchange } from '../../../types/model.ts'
import { Rotations } from './rotation.ts'

/** Takes turns; endpoints of greater weight come more often. */
class RoundRobin implements Balancer {
  readonly #rotations = new Rotations()

  pick (available: readonly Endpoint[], exchange: Exchange): Endpoint {
    return this.#rotations.for(available, exchange).take(available)
  }
}

export const roundRobin: PolicyDefinition<Balancer> = {
  name: 'round-robin',
  schema: { type: 'object', additionalProperties: false },
  create: () => new RoundRobin()
}
