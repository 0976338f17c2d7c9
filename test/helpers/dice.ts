/** A Math.random that throws these numbers, over and over. */
export function dice (...throws: number[]): () => number {
  if (throws.length === 0) throw new Error('dice() needs at least one number to throw')
  let next = 0
  return () => throws[next++ % throws.length]!
}
