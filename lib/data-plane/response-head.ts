import type { ResponseHead } from '../../types/options.ts'
import type { ProxyExchange } from '../model/exchange.ts'
import { isEventStream } from './content.ts'
import { appendProxyStatus } from './failure.ts'
import { isHttp2 } from './http2-reply.ts'
import { mayHaveLost } from './upgrade/plain.ts'

/** What an upstream's head means for the exchange, and what of it is settled here, whatever the route says. */
export function settleHead (exchange: ProxyExchange, { statusCode, headers }: ResponseHead, isClosing: boolean): void {
  const { reply } = exchange
  if (isEventStream(headers['content-type'])) {
    exchange.isEventStream = true
    // A stream of events is as long as it is; silence still ends it.
    exchange.totalDue = Infinity
  }
  // So is a stream of gRPC, for all the proxy knows; what its client has set is another matter.
  if (exchange.isGrpc) exchange.totalDue = exchange.grpcDue
  if (statusCode === 204 && headers['content-length'] !== undefined) delete headers['content-length'] // RFC 9110 8.6
  // Of a body that does not come nobody has counted the bytes; 2^64 of them would be taken for another number by the next reader.
  if (statusCode === 304 && Number(headers['content-length']) > Number.MAX_SAFE_INTEGER) delete headers['content-length']
  if (statusCode >= 500) appendProxyStatus(headers, `${exchange.route.pseudonym}; received-status=${statusCode}`)
  // What a plugin of the app has set and both sides may have a say in.
  if (headers['vary'] !== undefined && reply.hasHeader('vary')) headers['vary'] = `${String(reply.getHeader('vary'))}, ${[headers['vary']].flat().join(', ')}`
  if (headers['strict-transport-security'] !== undefined && reply.hasHeader('strict-transport-security')) delete headers['strict-transport-security']
  if (isClosing && !isHttp2(reply.raw)) reply.header('connection', 'close')
  if (statusCode === 426) requireUpgrade(exchange, headers)
  closeBehindUpgrade(exchange)
}

/** RFC 9110 15.5.22 asks for Upgrade in a 426: the upstream's, or that of the handshake. HTTP/2 has none. */
function requireUpgrade ({ reply, outgoing }: ProxyExchange, headers: ResponseHead['headers']): void {
  const isHandshake = outgoing!.upgrade !== null
  if (isHandshake && headers['upgrade'] === undefined) headers['upgrade'] = 'websocket'
  if (headers['upgrade'] === undefined || isHttp2(reply.raw)) return
  reply.header('connection', isHandshake || reply.hasHeader('connection') ? 'upgrade, close' : 'upgrade')
}

/** Now, and once its body is through, since what comes behind that is lost as well. */
export function closeBehindUpgrade ({ request, reply }: ProxyExchange): void {
  const { raw } = request
  if (raw.headers.upgrade !== undefined && raw.httpVersionMajor === 1 && mayHaveLost(raw, request.server.server)) reply.header('connection', 'close')
}
