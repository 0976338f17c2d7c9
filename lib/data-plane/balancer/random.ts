import type { Balancer, PolicyDefinition, Tools } from '../../../types/policy.ts'
import type { Endpoint } from '../../../types/model.ts'
import { WeightedDraw } from './weights.ts'

/** Draws one, by weight. For upstreams whose own queues even things out; it looks at nothing. */
class RandomDraw implements Balancer {
  readonly #draw: WeightedDraw

  constructor (random: Tools['random']) {
    this.#draw = new WeightedDraw(random)
  }

  pick (available: readonly Endpoint[]): Endpoint {
    return available[this.#draw.one(available)]!
  }
}

export const random: PolicyDefinition<Balancer> = {
  name: 'random',
  schema: { type: 'object', additionalProperties: false },
  create: (_options, { random }) => new RandomDraw(random)
}
