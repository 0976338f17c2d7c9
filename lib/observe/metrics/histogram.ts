/** The longest that is told apart from longer, 2,147 s in microseconds: what is larger is no small integer to V8, and would be garbage. */
const LONGEST = 2 ** 31 - 1

/** Whole microseconds between two readings of `performance.now()`. */
export function elapsed (from: number, to: number): number {
  const microseconds = (to - from) * 1000
  if (microseconds <= 0) return 0
  return microseconds < LONGEST ? microseconds | 0 : LONGEST
}

/** In microseconds, one for all histograms of a kind: there is one per route and class, and each looks at all of it. */
const boundsOf = new WeakMap<readonly number[], Int32Array>()

function boundsFor (seconds: readonly number[]): Int32Array {
  let bounds = boundsOf.get(seconds)
  if (bounds === undefined) {
    bounds = Int32Array.from(seconds, (bound) => Math.round(bound * 1e6))
    boundsOf.set(seconds, bounds)
  }
  return bounds
}

/**
 * Counts by duration. Whole microseconds come in, since a fraction that is passed to a function which V8 has not inlined becomes an
 * object on the heap, and typed arrays hold the rest: observing allocates nothing after the first time. Before that there is no array: most
 * classes of most routes are never met, and twelve thousand routes have six each.
 */
export class Histogram {
  /** Upper bounds in microseconds, ascending. */
  readonly bounds: Int32Array
  readonly #seconds: readonly number[]
  /** As many as there are bounds, one for what is above all of them, and the sum: one piece of memory for all that an observation writes. */
  #cells: Float64Array | null = null

  /** @param seconds the upper bounds */
  constructor (seconds: readonly number[]) {
    this.#seconds = seconds
    this.bounds = boundsFor(seconds)
  }

  /** One more than there are bounds: the last is for what is above all of them. Not cumulative. */
  get counts (): Float64Array {
    const { length } = this.bounds
    return this.#cells === null ? new Float64Array(length + 1) : this.#cells.slice(0, length + 1)
  }

  observe (microseconds: number): void {
    const { bounds } = this
    const cells = this.#cells ??= new Float64Array(bounds.length + 2)
    let index = 0
    while (index < bounds.length && microseconds > bounds[index]!) index++
    cells[index]!++
    cells[bounds.length + 1]! += microseconds
  }

  /** What both have counted, in a third. */
  plus (other: Histogram): Histogram {
    const sum = new Histogram(this.#seconds)
    sum.#cells = new Float64Array(this.bounds.length + 2)
    for (const cells of [this.#cells, other.#cells]) {
      for (const [index, cell] of (cells ?? []).entries()) sum.#cells[index]! += cell
    }
    return sum
  }

  get count (): number {
    let count = 0
    if (this.#cells !== null) for (let index = 0; index <= this.bounds.length; index++) count += this.#cells[index]!
    return count
  }

  /** In seconds. */
  get sum (): number {
    return this.#cells === null ? 0 : this.#cells[this.bounds.length + 1]! / 1e6
  }
}

/**
 * Seconds below which a share of what was counted lies, as Prometheus interpolates it; 0 where nothing was counted.
 * @param counts of the buckets, not cumulative
 */
export function quantile (share: number, bounds: Int32Array, counts: Float64Array): number {
  let total = 0
  for (const count of counts) total += count
  if (total === 0) return 0
  const rank = share * total
  let below = 0
  for (let index = 0; index < bounds.length; index++) {
    const count = counts[index]!
    if (below + count >= rank && count > 0) {
      const lower = index === 0 ? 0 : bounds[index - 1]!
      return (lower + (bounds[index]! - lower) * (rank - below) / count) / 1e6
    }
    below += count
  }
  return bounds[bounds.length - 1]! / 1e6
}
