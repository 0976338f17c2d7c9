import type { ProxyExchange } from '../../model/exchange.ts'

/** Pieces beyond which what is kept is put together: a client that sends byte by byte would else cost a hundred times its bytes. */
const PIECES = 64

/** What has been sent of a request body, to be sent again. */
export class Replay {
  readonly #limit: number
  #chunks: Buffer[] = []
  #size = 0

  constructor (limit: number) {
    this.#limit = limit
  }

  get chunks (): readonly Buffer[] {
    return this.#chunks
  }

  /** @returns whether all of it is still kept; nothing is, once it is too much */
  add (chunk: Buffer): boolean {
    this.#size += chunk.length
    if (this.#size > this.#limit) {
      this.#chunks = []
      return false
    }
    if (this.#chunks.length === PIECES) this.#chunks = [Buffer.concat(this.#chunks)]
    this.#chunks.push(chunk)
    return true
  }
}

/** Where the body of this exchange is kept; null where nobody would ever ask for it. */
export function replayOf ({ route, request }: ProxyExchange, mayRepeat: boolean): Replay | null {
  if (!mayRepeat || route.replay === 0 || Number(request.raw.headers['content-length']) > route.replay) return null
  return new Replay(route.replay)
}
