import type { Balancer, PolicyDefinition, Tools } from '../../../types/policy.ts'
import type { Endpoint } from '../../../types/model.ts'

/**
 * Draws two endpoints and takes the less busy one. Nearly as even as scanning them all, at constant cost; and proxies that
 * share a stale view do not all run to the same endpoint.
 */
class PowerOfTwo implements Balancer {
  readonly #random: Tools['random']

  constructor (random: Tools['random']) {
    this.#random = random
  }

  pick (available: readonly Endpoint[]): Endpoint {
    const count = available.length
    if (count === 1) return available[0]!

    const first = Math.floor(this.#random() * count)
    let second = Math.floor(this.#random() * (count - 1))
    if (second >= first) second++ // passes over `first`, so that the two always differ

    const a = available[first]!
    const b = available[second]!
    // One more than is active, so that weights count among idle endpoints too.
    const loadOfA = (a.active + 1) * b.weight
    const loadOfB = (b.active + 1) * a.weight
    return loadOfA <= loadOfB ? a : b
  }
}

export const powerOfTwo: PolicyDefinition<Balancer> = {
  name: 'power-of-two',
  schema: { type: 'object', additionalProperties: false },
  create: (_options, { random }) => new PowerOfTwo(random)
}
