import type { ServerResponse } from 'node:http'
import { fieldName } from './field-names.ts'
import { isHttp2 } from './http2-reply.ts'

/*
 * Fields behind a body (RFC 9110 6.5). What frames or routes a message, says who sends it or what its body is must be known before
 * the body, and counts for nothing behind it: such fields are dropped, lest the next reader merge them into the head.
 */

export type Trailers = Record<string, string | string[]>

const forbidden = new Set([
  'connection', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'http2-settings', 'alt-svc', 'host', 'content-length', 'content-encoding',
  'content-type', 'content-range', 'cache-control', 'expect', 'max-forwards', 'pragma', 'range', 'if-match', 'if-none-match', 'if-modified-since',
  'if-unmodified-since', 'if-range', 'authorization', 'www-authenticate', 'cookie', 'set-cookie', 'age', 'date', 'expires', 'location', 'retry-after',
  'vary', 'warning', 'forwarded', 'via'
])

function isForbidden (name: string): boolean {
  return forbidden.has(name) || name.startsWith('proxy-') || name.startsWith('x-forwarded-')
}

/** From pairs of names and values, in bytes or in latin1; null where nothing is left. */
export function readTrailers (raw: readonly (Buffer | string)[]): Trailers | null {
  let trailers: Trailers | null = null
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const field = raw[index]!
    const name = typeof field === 'string' ? field.toLowerCase() : fieldName(field)
    if (isForbidden(name)) continue
    const value = raw[index + 1]!
    const text = typeof value === 'string' ? value : value.toString('latin1')
    // Without a prototype: a field may be called 'constructor'.
    trailers ??= Object.create(null) as Trailers
    const present = trailers[name]
    if (present === undefined) trailers[name] = text
    else trailers[name] = [present, text].flat()
  }
  return trailers
}

/**
 * Has an upstream's trailers sent behind the body; before the end of that is written. A client of HTTP/1.1 that reads them says so
 * (RFC 9110 6.5.1); Node leaves them out behind a body with a length.
 * @returns whether there are any to send
 */
export function relayTrailers (raw: readonly (Buffer | string)[], response: ServerResponse): boolean {
  const { req } = response
  if (!isHttp2(response) && (req.httpVersion !== '1.1' || !/(?:^|[,\s])trailers(?:$|[,;\s])/i.test(String(req.headers.te)))) return false
  const trailers = readTrailers(raw)
  if (trailers === null) return false
  // Node's types know one value per name, and its code several.
  response.addTrailers(trailers as Record<string, string>)
  return true
}
