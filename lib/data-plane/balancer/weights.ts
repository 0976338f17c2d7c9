import type { Endpoint } from '../../../types/model.ts'
import type { Tools } from '../../../types/policy.ts'

/** The sum of the weights, or 0 where all are equal and weights need not be looked at. */
export function sumOfWeights (list: readonly Endpoint[]): number {
  let sum = 0
  let isEven = true
  for (const { weight } of list) {
    sum += weight
    if (weight !== list[0]!.weight) isEven = false
  }
  return isEven ? 0 : sum
}

/** The index of the endpoint at this place of all the weights laid end to end. */
export function indexAt (list: readonly Endpoint[], place: number): number {
  let rest = place
  const last = list.length - 1
  // The last takes what rounding leaves.
  for (let index = 0; index < last; index++) {
    rest -= list[index]!.weight
    if (rest < 0) return index
  }
  return last
}

/** Draws endpoints out of lists that seldom change: what is worked out of a list is kept while it is the same one. */
export class WeightedDraw {
  readonly #random: Tools['random']
  #list: readonly Endpoint[] = []
  /** Sum of the weights; 0 where all are equal. */
  #total = 0

  constructor (random: Tools['random']) {
    this.#random = random
  }

  /** The index of one, by weight. */
  one (available: readonly Endpoint[]): number {
    if (available !== this.#list) {
      this.#list = available
      this.#total = sumOfWeights(available)
    }
    return this.#total === 0 ? Math.floor(this.#random() * available.length) : indexAt(available, this.#random() * this.#total)
  }

  /**
   * The less busy of two for its weight; `a`, which was drawn by weight, where neither is, so that idle endpoints get their shares. Between
   * the two is where `b` is less busy now, and would be busier than `a` with this request on top: there it gets the request as often as the
   * square of the part that it has room for. Without that, 9:10 at two requests at a time was 32:68; with it, it is exact there, and within
   * two points at more.
   */
  lessBusy (a: Endpoint, b: Endpoint): Endpoint {
    const busy = a.active * b.weight
    if ((b.active + 1) * a.weight <= busy) return b
    if (busy <= b.active * a.weight) return a
    const room = busy / a.weight - b.active
    return this.#random() < room * room ? b : a
  }

  /** The index of any but this one, whatever its weight. */
  another (available: readonly Endpoint[], first: number): number {
    const index = Math.floor(this.#random() * (available.length - 1))
    return index >= first ? index + 1 : index
  }
}
