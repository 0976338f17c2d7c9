/** What is counted beyond the bound. */
export const OVERFLOW = -1

/**
 * Counts by a small whole number that stands for several labels at once. Most requests of a route are alike, so the key of the last
 * one is looked at first. A key allocates when it is met for the first time and never again; there is a bound on keys, because some
 * of what they are made of (a status) is an upstream's to choose.
 */
export class Tally {
  readonly #slots = new Map<number, number>()
  readonly #limit: number
  #counts = new Float64Array(4)
  #lastKey = -2
  #lastSlot = 0

  constructor (limit: number) {
    this.#limit = limit
  }

  add (key: number): void {
    if (key !== this.#lastKey) this.#find(key)
    this.#counts[this.#lastSlot]!++
  }

  /** 0 for a key that was never met. */
  count (key: number): number {
    const slot = this.#slots.get(key)
    return slot === undefined ? 0 : this.#counts[slot]!
  }

  * entries (): Generator<[key: number, count: number]> {
    for (const [key, slot] of this.#slots) yield [key, this.#counts[slot]!]
  }

  #find (key: number): void {
    const found = this.#slots.get(key)
    if (found !== undefined) {
      this.#lastKey = key
      this.#lastSlot = found
      return
    }
    const { size } = this.#slots
    if (size >= this.#limit && key !== OVERFLOW) {
      this.#find(OVERFLOW)
      return
    }
    if (size === this.#counts.length) {
      const counts = new Float64Array(size * 2)
      counts.set(this.#counts)
      this.#counts = counts
    }
    this.#slots.set(key, size)
    this.#lastKey = key
    this.#lastSlot = size
  }
}
