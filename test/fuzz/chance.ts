/** Numbers that only look thrown: the same for the same seed, phase and case, so that each case can be had again by itself. */
export class Chance {
  #state: number

  constructor (seed: number, phase: string, index: number) {
    this.#state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(index + 1, 0xc2b2ae35) ^ (phase === 'requests' ? 0 : 0x27d4eb2f)
    // The first throws of neighbours are too much alike.
    for (let n = 0; n < 3; n++) this.number()
  }

  /** mulberry32: in [0, 1). */
  number (): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }

  below (n: number): number {
    return Math.floor(this.number() * n)
  }

  oneOf<T> (list: readonly T[]): T {
    return list[this.below(list.length)]!
  }

  /** True so many times out of a hundred. */
  percent (share: number): boolean {
    return this.number() * 100 < share
  }

  byte (): string {
    return String.fromCharCode(this.below(256))
  }
}
