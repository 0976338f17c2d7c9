import type { Exchange } from '../../../types/model.ts'
import type { Transform } from '../../../types/policy.ts'
import type { CredentialsOptions, RequestHead } from '../../../types/options.ts'
import { isPromise, named, quieten, WrongResultError, wrongResult } from '../../model/option-result.ts'
import { dropSpellings, OwnedNames } from './owned-names.ts'

/** Names learned from one route's function; a function with more is making them from its input, which is not kept. */
const NAMES = 64

type Credential = Record<string, unknown>

/**
 * Puts what the app knows of the caller into headers that no client can forge: every declared name, and every name that the function has ever
 * given, is dropped from what the client sent, in any spelling.
 */
export class Credentials implements Transform<RequestHead> {
  readonly #of: (request: Exchange['request']) => Credential
  /** Where the result comes from, for the log. */
  readonly #option: string
  /** null where the function may give any name. */
  readonly #declared: ReadonlySet<string> | null
  readonly #names: OwnedNames
  readonly #owned: OwnedNames
  #learned = 0

  /** @param owned the names of the whole route, to which those are added that the function gives */
  constructor (options: CredentialsOptions | CredentialsOptions['of'], owned: OwnedNames = new OwnedNames()) {
    const isDeclared = typeof options !== 'function'
    const of = isDeclared ? options.of : options
    this.#option = isDeclared ? 'credentials.of' : 'credentials'
    this.#of = named(this.#option, 'select', (request) => this.#check(of(request)))
    this.#declared = isDeclared ? new Set(options.names.map((name) => name.toLowerCase())) : null
    this.#names = new OwnedNames(this.#declared ?? [])
    this.#owned = owned
  }

  apply ({ headers }: RequestHead, { request }: Exchange): void {
    const given = this.#of(request)
    for (const name in given) this.#learn(name)
    for (const name in headers) {
      if (this.#names.has(name)) delete headers[name]
    }
    for (const name in given) {
      const lowerCased = name.toLowerCase()
      if (!this.#names.has(lowerCased)) dropSpellings(headers, lowerCased)
      const value = given[name]
      if (value !== undefined) headers[lowerCased] = value as string
    }
  }

  #learn (name: string): void {
    if (this.#declared !== null || this.#learned === NAMES || this.#names.has(name.toLowerCase())) return
    this.#learned++
    this.#names.add(name)
    this.#owned.add(name)
  }

  #check (given: unknown): Credential {
    // A list, a Map or a Headers has its names elsewhere, and would be taken for one without any.
    if (typeof given !== 'object' || given === null || Symbol.iterator in given || isPromise(given)) throw wrongResult(this.#option, 'an object', given)
    for (const name in given) {
      const value: unknown = (given as Credential)[name]
      if (value !== undefined && typeof value !== 'string') {
        quieten(given)
        throw wrongResult(`${this.#option}['${name}']`, 'a string or undefined', value)
      }
      // A client could forge it until the function first gave it.
      if (this.#declared !== null && !this.#declared.has(name.toLowerCase())) {
        throw new WrongResultError(`\`credentials.of\` gives '${name}', which is not in \`credentials.names\``)
      }
    }
    return given as Credential
  }
}
