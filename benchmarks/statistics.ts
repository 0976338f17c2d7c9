export function median (values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Where a median would lie in nine of ten runs like this one: the 5th and the 95th per cent of the medians of resampled values (bootstrap). */
export function middleOf (values: readonly number[], random: () => number): readonly [number, number] {
  const medians = Array.from({ length: RESAMPLES }, () => median(values.map(() => values[Math.floor(random() * values.length)]!))).sort((a, b) => a - b)
  return [medians[Math.floor(RESAMPLES * 0.05)]!, medians[Math.ceil(RESAMPLES * 0.95) - 1]!]
}

/** With which the two ends come out the same to a thousandth, whatever the dice. */
const RESAMPLES = 10_000
