import type { ProxyExchange } from '../model/exchange.ts'

/**
 * Counts a request down on its way (RFC 9110 7.6.2): only OPTIONS and TRACE have Max-Forwards. At 0 it ends here: OPTIONS is told what
 * the route takes. A TRACE is refused, not reflected: what comes back could be read by scripts that must not see it.
 * @returns 'forward', 'answered', or 'invalid' where it is no number, or there are several
 */
export function countForward ({ request, reply }: ProxyExchange): 'forward' | 'answered' | 'invalid' {
  const { headers } = request.raw
  const received = headers['max-forwards']
  if (received === undefined) return 'forward'
  if (typeof received !== 'string' || !/^\d+$/.test(received)) return 'invalid'
  const left = Number(received)
  if (left > 0) {
    // The largest that we can count with, where that is less (RFC 9110 7.6.2).
    headers['max-forwards'] = String(Math.min(left - 1, Number.MAX_SAFE_INTEGER))
    return 'forward'
  }
  reply.header('allow', [request.routeOptions.method ?? []].flat().join(', '))
  reply.code(request.method === 'TRACE' ? 405 : 200).send()
  return 'answered'
}
