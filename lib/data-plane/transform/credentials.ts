import type { FastifyRequest } from 'fastify'
import type { Exchange } from '../../../types/model.ts'
import type { Transform } from '../../../types/policy.ts'
import type { RequestHead } from '../../../types/options.ts'

/** Names learned from one route's function; a function with more is making them from its input, which we do not keep. */
const NAMES = 64

/**
 * Puts what the app knows of the caller into headers that no client can forge: every name that the function has ever given is
 * dropped from what the client sent, hyphens or underscores alike, which CGI-like upstreams read as the same name.
 */
export class Credentials implements Transform<RequestHead> {
  readonly #of: (request: FastifyRequest) => Record<string, string | undefined>
  readonly #names = new Set<string>()

  constructor (of: (request: FastifyRequest) => Record<string, string | undefined>) {
    this.#of = of
  }

  apply (head: RequestHead, { request }: Exchange): void {
    const { headers } = head
    const given = this.#of(request)
    for (const name in given) {
      if (this.#names.size < NAMES) this.#names.add(hyphenated(name.toLowerCase()))
    }
    for (const name in headers) {
      if (this.#names.has(hyphenated(name))) delete headers[name]
    }
    for (const name in given) {
      const lowerCased = name.toLowerCase()
      const value = given[name]
      if (value === undefined) delete headers[lowerCased]
      else headers[lowerCased] = value
    }
  }
}

function hyphenated (name: string): string {
  return name.includes('_') ? name.replaceAll('_', '-') : name
}
