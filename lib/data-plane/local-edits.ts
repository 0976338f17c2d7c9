import type { FastifyReply } from 'fastify'
import type { ResponseHead } from '../../types/options.ts'
import type { ProxyExchange } from '../model/exchange.ts'

/** Edits the head of a response that no upstream made, as the route's `when` asks. */
export function editLocalHead (exchange: ProxyExchange, reply: FastifyReply): void {
  // null behind a reply.proxy, which brings edits of its own or none.
  const transforms = exchange.route.localResponseTransforms
  if (transforms === null) return
  const present = reply.getHeaders() as ResponseHead['headers']
  const head: ResponseHead = { statusCode: reply.statusCode, headers: { ...present } }
  for (const transform of transforms) transform.apply(head, exchange)
  for (const name in present) {
    if (head.headers[name] === undefined) reply.removeHeader(name)
  }
  for (const name in head.headers) {
    if (head.headers[name] === present[name]) continue
    // Set-Cookie would be added to, not replaced.
    reply.removeHeader(name)
    reply.header(name, head.headers[name])
  }
}
