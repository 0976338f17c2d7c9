import type { Payload, ProxyExchange } from '../model/exchange.ts'
import type { Connection } from './pool/connection.ts'
import { isPlain } from './one-write.ts'
import type { ResponseBody } from './response-body.ts'

/** Bytes of one read that are worth not to be copied: smaller ones are copies already (pool/reading-socket.ts, whose limit it is too). */
export const LARGE: number = 16 * 1024

/** Bytes of a body in small reads that are kept to go out in one piece. */
export const WHOLE_LIMIT: number = 128 * 1024

/** Gives a chunk back to the connection that read it, once the client's has taken all of it. */
export function giveBack (chunk: Buffer, body: ResponseBody | null, connection: Connection): void {
  if (chunk.length > LARGE && body !== null && body.flush()) connection.takeBack?.(chunk)
}

/** The same for a body that was handed over in one piece, if nobody but the client has seen it. */
export function giveBackWhole (payload: Payload, { reply: { raw }, route, hasSendHooks }: ProxyExchange, connection: Connection): void {
  // A function that rewrites bodies may keep what it is shown.
  if (!(payload instanceof Uint8Array) || payload.length <= LARGE || hasSendHooks || route.rewrite !== null) return
  if (isPlain(raw) && raw.writableEnded && raw.socket !== null && raw.socket.writableLength === 0) connection.takeBack?.(payload)
}
