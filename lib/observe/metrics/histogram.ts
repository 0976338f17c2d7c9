/** The longest that is told apart from longer, 2,147 s in microseconds: what is larger is no small integer to V8, and would be garbage. */
const LONGEST = 2 ** 31 - 1

/** Whole microseconds between two readings of `performance.now()`. */
export function elapsed (from: number, to: number): number {
  const microseconds = (to - from) * 1000
  if (microseconds <= 0) return 0
  return microseconds < LONGEST ? microseconds | 0 : LONGEST
}

/**
 * Counts by duration. Whole microseconds come in, since a fraction that is passed to a function which V8 has not inlined becomes an
 * object on the heap, and typed arrays hold the rest: observing allocates nothing.
 */
export class Histogram {
  /** Upper bounds in microseconds, ascending. */
  readonly bounds: Int32Array
  /** One more than there are bounds: the last is for what is above all of them. Not cumulative. */
  readonly counts: Float64Array
  readonly #sum = new Float64Array(1)

  /** @param seconds the upper bounds */
  constructor (seconds: readonly number[]) {
    this.bounds = Int32Array.from(seconds, (bound) => Math.round(bound * 1e6))
    this.counts = new Float64Array(seconds.length + 1)
  }

  observe (microseconds: number): void {
    const { bounds, counts } = this
    let index = 0
    while (index < bounds.length && microseconds > bounds[index]!) index++
    counts[index]!++
    this.#sum[0]! += microseconds
  }

  /** What both have counted, in a third. */
  plus (other: Histogram): Histogram {
    const sum = new Histogram(Array.from(this.bounds, (bound) => bound / 1e6))
    for (const [index, count] of this.counts.entries()) sum.counts[index] = count + other.counts[index]!
    sum.#sum[0] = this.#sum[0]! + other.#sum[0]!
    return sum
  }

  get count (): number {
    let count = 0
    for (const one of this.counts) count += one
    return count
  }

  /** In seconds. */
  get sum (): number {
    return this.#sum[0]! / 1e6
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
