import type { Balancer, PolicyDefinition, Tools } from '../../../types/policy.ts'
import type { Endpoint } from '../../../types/model.ts'
import { indexAt, sumOfWeights } from './weights.ts'

/** Draws one, by weight. For upstreams whose own queues even things out; it looks at nothing. */
class RandomDraw implements Balancer {
  readonly #random: Tools['random']
  #list: readonly Endpoint[] = []
  #total = 0

  constructor (random: Tools['random']) {
    this.#random = random
  }

  pick (available: readonly Endpoint[]): Endpoint {
    if (available !== this.#list) {
      this.#list = available
      this.#total = sumOfWeights(available)
    }
    if (this.#total === 0) return available[Math.floor(this.#random() * available.length)]!
    return available[indexAt(available, this.#random() * this.#total)]!
  }
}

export const random: PolicyDefinition<Balancer> = {
  name: 'random',
  schema: { type: 'object', additionalProperties: false },
  create: (_options, { random }) => new RandomDraw(random)
}
