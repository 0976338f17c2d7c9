import type { Balancer, PolicyDefinition, Tools } from '../../../types/policy.ts'
import type { Endpoint } from '../../../types/model.ts'

/**
 * Draws two endpoints and takes the less busy one. Nearly as even as scanning them all, at constant cost; and proxies that
 * share a stale view do not all run to the same endpoint. The first is drawn by weight and is taken unless the second is less
 * busy for its weight, so that idle endpoints get their shares too.
 */
class PowerOfTwo implements Balancer {
  readonly #random: Tools['random']
  #list: readonly Endpoint[] = []
  /** Sum of the weights; 0 where all are equal. */
  #total = 0

  constructor (random: Tools['random']) {
    this.#random = random
  }

  pick (available: readonly Endpoint[]): Endpoint {
    const count = available.length
    if (count === 1) return available[0]!
    if (available !== this.#list) this.#measure(available)

    const first = this.#total === 0 ? Math.floor(this.#random() * count) : this.#drawByWeight(available)
    let second = Math.floor(this.#random() * (count - 1))
    if (second >= first) second++ // passes over `first`, so that the two always differ

    const a = available[first]!
    const b = available[second]!
    // With this one on top `b` must still be no busier than `a` is now: with equal weights, plainly less busy.
    return (b.active + 1) * a.weight <= a.active * b.weight ? b : a
  }

  #measure (available: readonly Endpoint[]): void {
    this.#list = available
    const isEven = available.every((endpoint) => endpoint.weight === available[0]!.weight)
    this.#total = isEven ? 0 : available.reduce((sum, endpoint) => sum + endpoint.weight, 0)
  }

  #drawByWeight (available: readonly Endpoint[]): number {
    let rest = this.#random() * this.#total
    const last = available.length - 1
    // The last takes what rounding leaves.
    for (let index = 0; index < last; index++) {
      rest -= available[index]!.weight
      if (rest < 0) return index
    }
    return last
  }
}

export const powerOfTwo: PolicyDefinition<Balancer> = {
  name: 'power-of-two',
  schema: { type: 'object', additionalProperties: false },
  create: (_options, { random }) => new PowerOfTwo(random)
}
