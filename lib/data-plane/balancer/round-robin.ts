import type { Balancer, PolicyDefinition } from '../../../types/policy.ts'
import type { Endpoint } from '../../../types/model.ts'

/**
 * Takes turns; endpoints of greater weight come more often, spread out rather than in a row (the smooth weighted round-robin
 * of nginx: everyone gains its weight each turn, the richest is picked and pays the sum of all).
 */
class Turns {
  readonly #list: readonly Endpoint[]
  readonly #credit: number[]
  readonly #total: number
  readonly #isEven: boolean
  #next: number

  constructor (list: readonly Endpoint[], first: number) {
    this.#list = list
    this.#credit = list.map(() => 0)
    this.#total = list.reduce((sum, endpoint) => sum + endpoint.weight, 0)
    this.#isEven = list.every((endpoint) => endpoint.weight === list[0]!.weight)
    this.#next = first % list.length
  }

  take (): Endpoint {
    const list = this.#list
    if (this.#isEven) {
      const endpoint = list[this.#next]!
      this.#next = (this.#next + 1) % list.length
      return endpoint
    }
    let richest = 0
    for (let index = 0; index < list.length; index++) {
      this.#credit[index]! += list[index]!.weight
      if (this.#credit[index]! > this.#credit[richest]!) richest = index
    }
    this.#credit[richest]! -= this.#total
    return list[richest]!
  }
}

/**
 * Every list has its own turns: a retry asks with a list from which the endpoint that failed is missing, and must not set the
 * others back to the first, or a dead first endpoint would be tried by every request.
 */
class RoundRobin implements Balancer {
  readonly #turns = new WeakMap<readonly Endpoint[], Turns>()
  /** Lists seen so far; each begins one further on, so that retries are spread too. */
  #lists = 0

  pick (available: readonly Endpoint[]): Endpoint {
    let turns = this.#turns.get(available)
    if (turns === undefined) {
      turns = new Turns(available, this.#lists++)
      this.#turns.set(available, turns)
    }
    return turns.take()
  }
}

export const roundRobin: PolicyDefinition<Balancer> = {
  name: 'round-robin',
  schema: { type: 'object', additionalProperties: false },
  create: () => new RoundRobin()
}
