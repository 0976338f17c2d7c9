import type { FastifyReply } from 'fastify'
import type { ResponseHead } from '../../types/options.ts'
import type { ProxyExchange } from '../model/exchange.ts'
import { symbolIn } from './fastify-symbols.ts'
import { endAtOnce, isPlain } from './one-write.ts'

type Headers = Record<string, string | string[]>

/**
 * Answers with a body that is all there, where Fastify's `send` would do the same in more steps: no hook sees what is sent, and nobody has
 * left anything on the reply that goes with it. Fastify takes a reply whose response has ended for sent, and runs its onResponse hooks as ever.
 * @returns false where something speaks against it, and nothing has been done
 */
export function answerWhole ({ reply, request, hasSendHooks }: ProxyExchange, { statusCode, headers }: ResponseHead, body: Buffer): boolean {
  const { raw } = reply
  // An upload that is still under way closes the connection behind its answer, which reply-from sees to.
  if (hasSendHooks || reply.sent || !request.raw.complete || !isPlain(raw)) return false
  // A status without a body that code has put there, and a body without a type, are Fastify's to make something of.
  if (!(statusCode >= 200) || statusCode === 204 || headers['content-type'] === undefined) return false
  const own = untouchedHeaders(reply)
  if (own === null) return false
  // Where hooks and serializers look for them later; and code may have written names with capitals.
  reply.headers(headers)
  if (Number(own['content-length']) !== body.length) own['content-length'] = String(body.length)
  raw.writeHead(statusCode, own)
  endAtOnce.call(raw, body)
  return true
}

/** Where Fastify keeps what a reply has been given: it says which headers there are, at the price of a copy, and not which trailers. */
interface Places { readonly headers: symbol, readonly trailers: symbol }

/** Undefined until the first reply is seen; null where it is kept otherwise some day. */
let places: Places | null | undefined

/** What headers of a reply go into, if it has none and no trailers yet, and its `send` is Fastify's; else null. */
export function untouchedHeaders (reply: FastifyReply): Headers | null {
  if (places === undefined) places = placesIn(reply)
  if (places === null || Object.hasOwn(reply, 'send')) return null
  const parts = reply as unknown as Record<symbol, Headers | null>
  const headers = parts[places.headers]!
  return parts[places.trailers] === null && Object.keys(headers).length === 0 ? headers : null
}

export function placesIn (reply: object): Places | null {
  const headers = symbolIn(reply, 'fastify.reply.headers')
  const trailers = symbolIn(reply, 'fastify.reply.trailers')
  return headers === undefined || trailers === undefined ? null : { headers, trailers }
}
