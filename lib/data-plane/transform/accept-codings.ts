import type { RequestHead } from '../../../types/options.ts'
import type { Transform } from '../../../types/policy.ts'
import { acceptable } from '../rewrite/coding.ts'

/** Asks the upstream for nothing that a rewriting route could not decode. */
export class AcceptCodings implements Transform<RequestHead> {
  apply ({ headers }: RequestHead): void {
    const field = headers['accept-encoding']
    if (field !== undefined) headers['accept-encoding'] = acceptable(String(field))
  }
}
