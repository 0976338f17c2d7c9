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
      // What a TRACE carries comes back in its answer, to whoever has sent it (RFC 9110 9.3.8).
      if (value === undefined || head.method === 'TRACE') delete headers[lowerCased]
      else headers[lowerCased] = value
    }
  }
}

/** What the client of a TRACE may have sent along without being able to read it, a script in a browser above all (RFC 9110 9.3.8). */
export function dropSecrets (headers: RequestHead['headers']): void {
  delete headers['authorization']
  delete headers['cookie']
}

function hyphenated (name: string): string {
  return name.includes('_') ? name.replaceAll('_', '-') : name
}
