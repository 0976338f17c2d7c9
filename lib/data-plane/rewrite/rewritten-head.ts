import type { RewritePlan } from '../../../types/model.ts'
import type { ResponseHead } from '../../../types/options.ts'
import type { ProxyExchange } from '../../model/exchange.ts'
import { isSum } from '../trailers.ts'

/** Parts of something, or nothing at all: to put other bytes there would make it wrong. */
const untouched = new Set([204, 205, 206, 304])

/** Whether a response is one that the plan is for. */
export function isRewritten (plan: RewritePlan, exchange: ProxyExchange, head: ResponseHead): boolean {
  return !answersHead(exchange) && isOfPlan(plan, head)
}

/**
 * True for a head of HEAD or 304 that is about a rewritten body: it says of the body what the 200 says (RFC 9110 9.3.2,
 * 15.4.5). A 304 mostly comes without a type. Then the client tells what it has: the strong tag of the upstream is that of a body which
 * was left alone.
 */
export function isAboutRewritten (plan: RewritePlan, exchange: ProxyExchange, head: ResponseHead): boolean {
  if (head.statusCode !== 304) return answersHead(exchange) && isOfPlan(plan, head)
  const { headers } = head
  if (isNotToBeTransformed(headers)) return false
  if (headers['content-type'] !== undefined) return isOfType(plan.types, headers['content-type'])
  const { etag } = headers
  const held = exchange.request.headers['if-none-match']
  return held === undefined || typeof etag !== 'string' || !etag.startsWith('"') || !tagsIn(held).includes(etag)
}

function answersHead ({ method, request }: ProxyExchange): boolean {
  return method === 'HEAD' || request.method === 'HEAD'
}

function isOfPlan (plan: RewritePlan, { statusCode, headers }: ResponseHead): boolean {
  if (untouched.has(statusCode) || headers['content-range'] !== undefined || headers['content-length'] === '0') return false
  return !isNotToBeTransformed(headers) && isOfType(plan.types, headers['content-type'])
}

/** RFC 9111 5.2.2.6, a MUST NOT. */
function isNotToBeTransformed ({ 'cache-control': field }: ResponseHead['headers']): boolean {
  return field !== undefined && /\bno-transform\b/i.test(String(field))
}

function tagsIn (list: string): string[] {
  return list.match(/(?:W\/)?"[^"]*"/g) ?? []
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
