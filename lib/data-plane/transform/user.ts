import type { Exchange } from '../../../types/model.ts'
import type { Transform } from '../../../types/policy.ts'

/** The user's own function, which has the last word. */
export class UserTransform<Head> implements Transform<Head> {
  readonly apply: (head: Head, exchange: Exchange) => void

  constructor (apply: (head: Head, exchange: Exchange) => void) {
    this.apply = apply
  }
}
