import type { Endpoint } from '../../../types/model.ts'

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
