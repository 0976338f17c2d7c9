import type { FastifyRequest } from 'fastify'
import type { Exchange } from '../../../types/model.ts'
import type { Transform } from '../../../types/policy.ts'
import type { HeaderEdits } from '../../../types/options.ts'
import { checkOptionalString } from '../../model/option-result.ts'

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
    this.#set = editsOf(edits.set, `headers.${side}.set`)
    this.#append = editsOf(edits.append, `headers.${side}.append`)
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

function editsOf (values: HeaderEdits['set'], place: string): Edit[] {
  return Object.entries(values ?? {}).map(([name, value]) => ({ name: name.toLowerCase(), option: `${place}['${name}']`, value }))
}

function textOf ({ option, value }: Edit, request: FastifyRequest): string | undefined {
  return typeof value === 'string' ? value : checkOptionalString(option, value(request))
}
