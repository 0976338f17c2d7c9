import type { RewritePlan } from '../../../types/model.ts'
import type { ResponseHead } from '../../../types/options.ts'
import type { ProxyExchange } from '../../model/exchange.ts'
import { isSum } from '../trailers.ts'

/** Parts of something, or nothing at all: to put other bytes there would make it wrong. */
const untouched = new Set([204, 205, 206, 304])

/** Whether a response is one that the plan is for. */
export function isRewritten (plan: RewritePlan, exchange: ProxyExchange, { statusCode, headers }: ResponseHead): boolean {
  if (exchange.method === 'HEAD' || exchange.request.method === 'HEAD' || untouched.has(statusCode)) return false
  if (headers['content-range'] !== undefined || headers['content-length'] === '0') return false
  // RFC 9111 5.2.2.6, a MUST NOT.
  const cacheControl = headers['cache-control']
  if (cacheControl !== undefined && /\bno-transform\b/i.test(String(cacheControl))) return false
  return isOfType(plan.types, headers['content-type'])
}

/** `text/html`, `text/*`, `*+json`, `*`; without a list, anything, a body of no type too. */
function isOfType (types: readonly string[] | null, field: string | string[] | undefined): boolean {
  if (types === null) return true
  const type = field === undefined ? '' : String(field).split(';', 1)[0]!.trim().toLowerCase()
  return types.some((pattern) => {
    const star = pattern.indexOf('*')
    if (star === -1) return type === pattern
    return type.length >= pattern.length - 1 && type.startsWith(pattern.slice(0, star)) && type.endsWith(pattern.slice(star + 1))
  })
}

/**
 * What the upstream said of its body and is not true of ours.
 * @param length null where it is not known
 */
export function correctHead ({ headers }: ResponseHead, length: number | null): void {
  if (length === null) delete headers['content-length']
  else headers['content-length'] = String(length)
  // Ranges of ours would be asked of the upstream, which counts other bytes.
  delete headers['accept-ranges']
  for (const name in headers) {
    if (isSum(name)) delete headers[name]
  }
  const { etag } = headers
  if (etag === undefined) return
  // Equal in meaning at best, no more in its bytes (RFC 9110 8.8.1).
  if (typeof etag === 'string' && /^(?:W\/)?"[^"]*"$/.test(etag)) headers['etag'] = etag.startsWith('W/') ? etag : `W/${etag}`
  else delete headers['etag']
}
