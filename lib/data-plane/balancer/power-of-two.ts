import type { Balancer, PolicyDefinition, Tools } from '../../../types/policy.ts'
import type { Endpoint } from '../../../types/model.ts'
import { WeightedDraw } from './weights.ts'

/**
 * Draws two endpoints and takes the less busy one. Nearly as even as scanning them all, at constant cost; and proxies that
 * share a stale view do not all run to the same endpoint. The first is drawn by weight and is taken unless the second is less
 * busy for its weight, so that idle endpoints get their shares too.
 */
class PowerOfTwo implements Balancer {
  readonly #draw: WeightedDraw

  constructor (random: Tools['random']) {
    this.#draw = new WeightedDraw(random)
  }

  pick (available: readonly Endpoint[]): Endpoint {
    if (available.length === 1) return available[0]!
    const first = this.#draw.one(available)
    const a = available[first]!
    const b = available[this.#draw.another(available, first)]!
    // With this one on top `b` must still be no busier than `a` is now: with equal weights, plainly less busy.
    return (b.active + 1) * a.weight <= a.active * b.weight ? b : a
  }
}

export const powerOfTwo: PolicyDefinition<Balancer> = {
  name: 'power-of-two',
  schema: { type: 'object', additionalProperties: false },
  create: (_options, { random }) => new PowerOfTwo(random)
}
