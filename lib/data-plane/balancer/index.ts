import type { Balancer, Observer, PolicyDefinition, Tools } from '../../../types/policy.ts'
import { hash } from './hash.ts'
import { leastRequests } from './least-requests.ts'
import { peakEwma } from './peak-ewma.ts'
import { powerOfTwo } from './power-of-two.ts'
import { random } from './random.ts'
import { roundRobin } from './round-robin.ts'
import { TieredBalancer } from './tiered.ts'
import { UserBalancer } from './user.ts'

/** Every balancer that the options may name. A new one is a file beside this one, and a line here. */
export const balancers: ReadonlyMap<string, PolicyDefinition<Balancer, never>> = new Map(
  [powerOfTwo, roundRobin, random, leastRequests, peakEwma, hash].map((definition) => [definition.name, definition as PolicyDefinition<Balancer, never>])
)

/** What may stand under `balancer` once it is checked. */
export type BalancerConfig = string | { readonly name: string } | Balancer

/** A balancer of the user's own, with a `pick`. */
export function isBalancer (config: unknown): config is Balancer {
  return typeof config === 'object' && config !== null && typeof (config as Partial<Balancer>).pick === 'function'
}

export function createBalancer (config: BalancerConfig, tools: Tools): Balancer {
  if (isBalancer(config)) return new UserBalancer(config)
  const { name, ...options } = typeof config === 'string' ? { name: config } : config
  return balancers.get(name)!.create(options as never, tools)
}

/** For upstreams whose endpoints differ in priority. */
export function withPriorities (balancer: Balancer, { random }: Tools): Balancer {
  return new TieredBalancer(balancer, random)
}

/** A balancer that wants to know how attempts went; null for most. */
export function learnerOf (balancer: Balancer): Observer | null {
  if (balancer instanceof UserBalancer && !balancer.learns) return null
  const learner = balancer as Balancer & Observer
  return typeof learner.onAttempt === 'function' ? learner : null
}
