import type { Balancer, PolicyDefinition, Tools } from '../../../types/policy.ts'
import type { Endpoint } from '../../../types/model.ts'
import { indexAt, sumOfWeights } from './weights.ts'

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
    if (available !== this.#list) {
      this.#list = available
      this.#total = sumOfWeights(available)
    }

    const first = this.#total === 0 ? Math.floor(this.#random() * count) : indexAt(available, this.#random() * this.#total)
    let second = Math.floor(this.#random() * (count - 1))
    if (second >= first) second++ // passes over `first`, so that the two always differ

    const a = available[first]!
    const b = available[second]!
    // With this one on top `b` must still be no busier than `a` is now: with equal weights, plainly less busy.
    return (b.active + 1) * a.weight <= a.active * b.weight ? b : a
  }
}

export const powerOfTwo: PolicyDefinition<Balancer> = {
  name: 'power-of-two',
  schema: { type: 'object', additionalProperties: false },
  create: (_options, { random }) => new PowerOfTwo(random)
}
