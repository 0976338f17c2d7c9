import type { Histogram } from './histogram.ts'

/** One series as it stands: a number, or a histogram. */
export interface Sample {
  /** Values of the definition's labels, in their order. */
  readonly labels: readonly string[]
  readonly value: number
  readonly histogram: Histogram | null
}

export function single (labels: readonly string[], value: number): Sample {
  return { labels, value, histogram: null }
}

export function whole (labels: readonly string[], histogram: Histogram): Sample {
  return { labels, value: 0, histogram }
}
