import { Transform, type TransformCallback } from 'node:stream'

/** Bytes to look for, and what stands in their place. */
export type BytePair = readonly [find: Buffer, replacement: Buffer]

type Emit = (bytes: Buffer) => void

/**
 * Replaces texts in bytes that come in pieces: the first from the left, and of several in one place the longest; what was put in is not
 * looked at again. Works on bytes, so that a piece may end within a character: in UTF-8 no character begins within another. Keeps back
 * nothing but what may be the beginning of a text.
 */
export class TextReplacer {
  /** The longest first. */
  readonly #pairs: readonly BytePair[]
  readonly #longest: number
  /** Where each text comes next in the piece at hand; -1: not looked for yet, Infinity: not there. */
  readonly #next: number[]
  #kept: Buffer | null = null

  constructor (pairs: readonly BytePair[]) {
    this.#pairs = [...pairs].sort(([a], [b]) => b.length - a.length)
    this.#longest = this.#pairs.length === 0 ? 0 : this.#pairs[0]![0].length
    this.#next = this.#pairs.map(() => -1)
  }

  give (piece: Buffer, emit: Emit): void {
    const bytes = this.#kept === null ? piece : Buffer.concat([this.#kept, piece])
    this.#kept = null
    this.#replace(bytes, false, emit)
  }

  finish (emit: Emit): void {
    if (this.#kept !== null) this.#replace(this.#kept, true, emit)
    this.#kept = null
  }

  #replace (bytes: Buffer, isLast: boolean, emit: Emit): void {
    this.#next.fill(-1)
    let at = 0
    let open = isLast ? bytes.length : this.#firstOpen(bytes, 0)
    for (;;) {
      const index = this.#find(bytes, at)
      // From there on a longer text may still begin, also in the place of one that is whole.
      if (index === -1 || this.#next[index]! >= open) break
      const found = this.#next[index]!
      const [find, replacement] = this.#pairs[index]!
      if (found > at) emit(bytes.subarray(at, found))
      if (replacement.length > 0) emit(replacement)
      at = found + find.length
      if (at > open) open = this.#firstOpen(bytes, at)
    }
    if (open > at) emit(bytes.subarray(at, open))
    // A copy: a few bytes must not keep a whole read alive.
    if (open < bytes.length) this.#kept = Buffer.from(bytes.subarray(open))
  }

  /** Which pair comes first from `at` on, or -1. */
  #find (bytes: Buffer, at: number): number {
    let first = -1
    for (let index = 0; index < this.#pairs.length; index++) {
      if (this.#next[index]! < at) {
        const found = bytes.indexOf(this.#pairs[index]![0], at)
        this.#next[index] = found === -1 ? Infinity : found
      }
      if (this.#next[index] !== Infinity && (first === -1 || this.#next[index]! < this.#next[first]!)) first = index
    }
    return first
  }

  /** From where on the end of `bytes` may be the beginning of a text; their length where nothing is. */
  #firstOpen (bytes: Buffer, from: number): number {
    const { length } = bytes
    for (let start = Math.max(from, length - this.#longest + 1); start < length; start++) {
      for (const [find] of this.#pairs) {
        const rest = length - start
        if (rest < find.length && find[0] === bytes[start] && bytes.compare(find, 0, rest, start, length) === 0) return start
      }
    }
    return length
  }
}

/** The same, of a body that is whole. */
export function replaceText (bytes: Buffer, pairs: readonly BytePair[]): Buffer {
  const pieces: Buffer[] = []
  const emit = (piece: Buffer): void => { pieces.push(piece) }
  const replacer = new TextReplacer(pairs)
  replacer.give(bytes, emit)
  replacer.finish(emit)
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
}

export class TextStream extends Transform {
  readonly #replacer: TextReplacer
  readonly #emit: Emit = (bytes) => { this.push(bytes) }

  constructor (pairs: readonly BytePair[]) {
    super()
    this.#replacer = new TextReplacer(pairs)
  }

  override _transform (chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    this.#replacer.give(chunk, this.#emit)
    callback()
  }

  override _flush (callback: TransformCallback): void {
    this.#replacer.finish(this.#emit)
    callback()
  }
}
