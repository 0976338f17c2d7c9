import type { FastifyRequest } from 'fastify'
import type { CallerKey, HashOptions } from '../../../types/options.ts'
import type { Balancer, PolicyDefinition, Tools } from '../../../types/policy.ts'
import type { Endpoint, Exchange } from '../../../types/model.ts'
import { keyText, named } from '../../model/option-result.ts'
import { readCookie } from '../cookie.ts'
import { powerOfTwo } from './power-of-two.ts'
import { sumOfWeights } from './weights.ts'

/** Whose value decides. */
export type HashKey = HashOptions['key']

type ReadKey = (request: FastifyRequest) => CallerKey

/**
 * Rendezvous hashing: every endpoint draws a number from the key, the highest takes it. No ring and no state: all replicas agree, and
 * when an endpoint goes only its own keys move, to all others alike. Requests without a key are spread by power-of-two.
 */
class Rendezvous implements Balancer {
  readonly #read: ReadKey
  readonly #keyless: Balancer
  /** What each endpoint brings to the draw; by the endpoint, because lists come and go with every change of health. */
  readonly #seeds = new WeakMap<Endpoint, number>()
  #list: readonly Endpoint[] = []
  #listSeeds: readonly number[] = []
  #isEven = true

  constructor (read: ReadKey, keyless: Balancer) {
    this.#read = read
    this.#keyless = keyless
  }

  pick (available: readonly Endpoint[], exchange: Exchange): Endpoint {
    const key = keyText('balancer.key', this.#read(exchange.request))
    if (key === undefined) return this.#keyless.pick(available, exchange)
    if (available !== this.#list) this.#measure(available)
    const hash = hashOf(key)
    return available[this.#isEven ? this.#highest(hash) : this.#highestByWeight(available, hash)]!
  }

  #highest (hash: number): number {
    const seeds = this.#listSeeds
    let best = 0
    let most = -1
    for (let index = 0; index < seeds.length; index++) {
      const score = mix(hash ^ seeds[index]!)
      if (score > most) {
        most = score
        best = index
      }
    }
    return best
  }

  /** -weight / ln(draw) gives each its share exactly (Schindelhauer and Schomaker, Weighted Distributed Hash Tables). */
  #highestByWeight (available: readonly Endpoint[], hash: number): number {
    const seeds = this.#listSeeds
    let best = 0
    let most = -1
    for (let index = 0; index < seeds.length; index++) {
      const score = -available[index]!.weight / Math.log((mix(hash ^ seeds[index]!) + 0.5) / 2 ** 32)
      if (score > most) {
        most = score
        best = index
      }
    }
    return best
  }

  #measure (available: readonly Endpoint[]): void {
    this.#list = available
    this.#isEven = sumOfWeights(available) === 0
    this.#listSeeds = available.map((endpoint) => {
      let seed = this.#seeds.get(endpoint)
      if (seed === undefined) {
        seed = mix(hashOf(endpoint.origin + endpoint.basePath))
        this.#seeds.set(endpoint, seed)
      }
      return seed
    })
  }
}

/** FNV-1a: one multiplication per character, and nothing allocated. */
function hashOf (text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return hash
}

/** The end of MurmurHash3: keys that differ by a bit must not land side by side. Unsigned. */
function mix (hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

function reader (key: HashKey): ReadKey {
  if (typeof key === 'function') return named('balancer.key', 'select', key)
  if ('cookie' in key) return (request) => readCookie(request.headers.cookie, key.cookie) ?? undefined
  const name = key.header.toLowerCase()
  return (request) => request.headers[name]
}

export const hash: PolicyDefinition<Balancer, { key: HashKey }> = {
  name: 'hash',
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['key'],
    properties: { key: { kind: ['function', 'object'], keys: ['header', 'cookie'] } }
  },
  create: ({ key }, tools: Tools) => new Rendezvous(reader(key), powerOfTwo.create({}, tools))
}
