import type { FastifyRequest } from 'fastify'
import type { Exchange } from '../../../types/model.ts'
import type { Transform } from '../../../types/policy.ts'
import type { HeaderEdits } from '../../../types/options.ts'
import { checkOptionalString, named } from '../../model/option-result.ts'

interface Head { headers: Record<string, string | string[]> }

/** One field that is set or appended to. */
interface Edit {
  /** Lower-cased. */
  readonly name: string
  /** Its place in the options, for the log. */
  readonly option: string
  readonly value: string | ((request: FastifyRequest) => string | undefined)
}

/** Declared edits: `remove`, then `set`, then `append`. Names were lower-cased when the route was built. */
export class EditHeaders implements Transform<Head> {
  readonly #remove: readonly string[]
  readonly #set: readonly Edit[]
  readonly #append: readonly Edit[]

  constructor (edits: HeaderEdits, side: 'request' | 'response') {
    this.#remove = (edits.remove ?? []).map((name) => name.toLowerCase())
    this.#set = editsOf(edits.set, side, 'set')
    this.#append = editsOf(edits.append, side, 'append')
  }

  apply (head: Head, { request }: Exchange): void {
    const { headers } = head
    for (const name of this.#remove) delete headers[name]
    for (const edit of this.#set) {
      const text = textOf(edit, request)
      if (text !== undefined) headers[edit.name] = text
    }
    for (const edit of this.#append) {
      const text = textOf(edit, request)
      if (text === undefined) continue
      const present = headers[edit.name]
      if (present === undefined) headers[edit.name] = text
      else headers[edit.name] = typeof present === 'string' ? [present, text] : [...present, text]
    }
  }
}

function editsOf (values: HeaderEdits['set'], side: 'request' | 'response', key: 'set' | 'append'): Edit[] {
  const phase = side === 'request' ? 'select' : 'responseHeaders'
  return Object.entries(values ?? {}).map(([name, value]) => {
    const option = `headers.${side}.${key}['${name}']`
    return { name: name.toLowerCase(), option, value: typeof value === 'function' ? named(option, phase, value) : value }
  })
}

function textOf ({ option, value }: Edit, request: FastifyRequest): string | undefined {
  return typeof value === 'string' ? value : checkOptionalString(option, value(request))
}
