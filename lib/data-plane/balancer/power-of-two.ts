import type { Balancer, PolicyDefinition, Tools } from '../../../types/policy.ts'
import type { Endpoint } from '../../../types/model.ts'
import { WeightedDraw } from './weights.ts'

/**
 * Draws two endpoints and takes the less busy one. Nearly as even as scanning them all, at constant cost; and proxies that
 * share a stale view do not all run to the same endpoint. The first is drawn by weight and is taken unless the second is less
 * busy for its weight.
 */
class PowerOfTwo implements Balancer {
  readonly #draw: WeightedDraw

  constructor (random: Tools['random']) {
    this.#draw = new WeightedDraw(random)
  }

  pick (available: readonly Endpoint[]): Endpoint {
    if (available.length === 1) return available[0]!
    const first = this.#draw.one(available)
    return this.#draw.lessBusy(available[first]!, available[this.#draw.another(available, first)]!)
  }
}

export const powerOfTwo: PolicyDefinition<Balancer> = {
  name: 'power-of-two',
  schema: { type: 'object', additionalProperties: false },
  create: (_options, { random }) => new PowerOfTwo(random)
}
