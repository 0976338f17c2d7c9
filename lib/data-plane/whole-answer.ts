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
  if (!isUntouched(reply)) return false
  const own = leaveOn(reply, headers)
  if (Number(own['content-length']) !== body.length) own['content-length'] = String(body.length)
  raw.writeHead(statusCode, own)
  endAtOnce.call(raw, body)
  return true
}

/** Where Fastify keeps what a reply has been given: it says which headers there are, at the price of a copy, and not which trailers. */
interface Places { readonly headers: symbol, readonly trailers: symbol }

/** Undefined until the first reply is seen; null where it is kept otherwise some day. */
let places: Places | null | undefined

/** Whether a reply has no headers and no trailers yet, and its `send` is Fastify's. */
export function isUntouched (reply: FastifyReply): boolean {
  if (places === undefined) places = placesIn(reply)
  if (places === null || Object.hasOwn(reply, 'send')) return false
  const parts = reply as unknown as Record<symbol, object | null>
  return parts[places.trailers] === null && Object.keys(parts[places.headers]!).length === 0
}

/** Puts an answer's headers on an untouched reply, where hooks and serializers look for them later. */
function leaveOn (reply: FastifyReply, headers: Headers): Headers {
  const parts = reply as unknown as Record<symbol, Headers>
  for (const name in headers) {
    if (typeof headers[name] === 'string' && name === name.toLowerCase()) continue
    // A list, or what code has written: Fastify knows what to make of it.
    reply.headers(headers)
    return parts[places!.headers]!
  }
  // A copy: the object may be the user's own, by way of onProxyResponse, and shared. One by one it would take six times as long.
  const own = { ...headers }
  parts[places!.headers] = own
  return own
}

export function placesIn (reply: object): Places | null {
  const headers = symbolIn(reply, 'fastify.reply.headers')
  const trailers = symbolIn(reply, 'fastify.reply.trailers')
  return headers === undefined || trailers === undefined ? null : { headers, trailers }
}
