import type { Exchange } from '../../../types/model.ts'
import type { Transform } from '../../../types/policy.ts'
import type { RequestHead } from '../../../types/options.ts'

/** Sends the client's Host, or a fixed one, in place of the endpoint's own. */
export class SetHost implements Transform<RequestHead> {
  readonly #fixed: string | null

  /** @param host null: the client's */
  constructor (host: string | null) {
    this.#fixed = host
  }

  apply (head: RequestHead, { request }: Exchange): void {
    // An HTTP/1.0 client may have sent none; then the endpoint's own is right.
    const host = this.#fixed ?? request.headers.host
    if (host !== undefined) head.headers['host'] = host
  }
}
