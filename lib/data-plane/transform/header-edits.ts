import type { FastifyRequest } from 'fastify'
import type { Exchange } from '../../../types/model.ts'
import type { Transform } from '../../../types/policy.ts'
import type { HeaderEdits } from '../../../types/options.ts'

type Value = string | ((request: FastifyRequest) => string | undefined)
interface Head { headers: Record<string, string | string[]> }

/** Declared edits: `remove`, then `set`, then `append`. Names were lower-cased when the route was built. */
export class EditHeaders implements Transform<Head> {
  readonly #remove: readonly string[]
  readonly #set: readonly (readonly [string, Value])[]
  readonly #append: readonly (readonly [string, Value])[]

  constructor (edits: HeaderEdits) {
    this.#remove = (edits.remove ?? []).map((name) => name.toLowerCase())
    this.#set = lowerCased(edits.set)
    this.#append = lowerCased(edits.append)
  }

  apply (head: Head, { request }: Exchange): void {
    const { headers } = head
    for (const name of this.#remove) delete headers[name]
    for (const [name, value] of this.#set) {
      const text = typeof value === 'string' ? value : value(request)
      if (text !== undefined) headers[name] = text
    }
    for (const [name, value] of this.#append) {
      const text = typeof value === 'string' ? value : value(request)
      if (text === undefined) continue
      const present = headers[name]
      if (present === undefined) headers[name] = text
      else headers[name] = typeof present === 'string' ? [present, text] : [...present, text]
    }
  }
}

function lowerCased (values: Record<string, Value> | undefined): [string, Value][] {
  return Object.entries(values ?? {}).map(([name, value]) => [name.toLowerCase(), value])
}
