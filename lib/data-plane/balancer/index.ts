import type { Balancer, PolicyDefinition } from '../../../types/policy.ts'
import { powerOfTwo } from './power-of-two.ts'
import { roundRobin } from './round-robin.ts'

/** Every balancer that the options may name. A new one is a file beside this one, and a line here. */
export const balancers: ReadonlyMap<string, PolicyDefinition<Balancer>> = new Map(
  [powerOfTwo, roundRobin].map((definition) => [definition.name, definition])
)
