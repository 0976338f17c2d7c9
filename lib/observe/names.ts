/** Configuration has fewer, and Node knows 35 methods; what upstreams are discovered is not ours to know. */
const LIMIT = 4096

/**
 * The values of one field that come again and again, as bytes of JSON with what stands around them: so that each is one piece of a
 * line, copied at once. Bytes that are put there one by one cost more than the rest of the line.
 */
export class Names {
  readonly #known = new Map<string | number, Uint8Array>()
  readonly #before: string
  readonly #behind: string

  constructor (before: string, behind: string) {
    this.#before = before
    this.#behind = behind
  }

  /** @returns no bytes for what is beyond latin1, where a character is not a byte: left to somebody slower */
  bytesOf (name: string | number): Uint8Array {
    const known = this.#known.get(name)
    if (known !== undefined) return known
    const json = this.#before + JSON.stringify(name) + this.#behind
    const bytes = beyondLatin1.test(json) ? none : Uint8Array.from(Buffer.from(json, 'latin1'))
    if (this.#known.size >= LIMIT) this.#known.clear()
    this.#known.set(name, bytes)
    return bytes
  }
}

const none = new Uint8Array(0)
const beyondLatin1 = /[^\0-\xff]/
