import type { ServerResponse } from 'node:http'
import type { ProxyExchange } from '../model/exchange.ts'
import type { ProxyErrorLike } from '../../types/model.ts'
import { sendGrpcError } from './grpc.ts'
import { isHttp2, resetStream } from './http2-reply.ts'
import { isUnderWay, lingering } from './lingering.ts'
import { editLocalHead } from './local-edits.ts'
import { isOptionFault } from '../model/option-result.ts'
import { ProxyError } from '../errors.ts'

/**
 * Ends an exchange with an error of ours: as a response, by Fastify's own error handling, while that is still possible; by
 * closing the client's connection once the head went out, so that a cut body cannot be taken for a whole one (RFC 9112 8).
 */
export function endWithError (exchange: ProxyExchange, error: ProxyErrorLike): void {
  const { reply, request } = exchange
  exchange.isProxied = false
  if (exchange.error === null) exchange.error = error
  if (reply.raw.headersSent) {
    cutOff(reply.raw)
    return
  }
  // Somebody else answered: a hook, or Fastify's handlerTimeout.
  if (reply.sent) return
  if (exchange.isAborted) {
    // Nobody will read it, but other plugins count on an end (onSend of circuit breakers, spans, sessions).
    reply.code(499).send()
    return
  }
  if (error instanceof ProxyError) {
    if (error.proxyStatus !== null) reply.header('proxy-status', `${exchange.route.pseudonym}; error=${error.proxyStatus}`)
    if (error.retryAfter > 0) reply.header('retry-after', String(error.retryAfter))
  }
  // RFC 9112 9.3: what is left of an unread body would be taken for the next request.
  if (isUnderWay(request.raw)) {
    reply.header('connection', 'close')
    lingering.expect(reply.raw)
  }
  if (exchange.isGrpc && error instanceof ProxyError) {
    sendGrpcError(exchange, error)
    return
  }
  // A plain route has no onSend of ours, which edits such answers elsewhere.
  if (exchange.override !== null) editSafely(exchange, error)
  reply.send(error)
}

/** The user's functions may throw here as anywhere; the answer is an error already, and stays the one it was. */
function editSafely (exchange: ProxyExchange, error: ProxyErrorLike): void {
  try {
    editLocalHead(exchange, exchange.reply.code(error.statusCode))
  } catch (err) {
    if (!isOptionFault(error)) exchange.request.log.error({ err }, 'a response edit failed')
  }
}

/**
 * Ends a response in a way that cannot be taken for its end. A client of HTTP/1.0 has no chunks: where there is no length either,
 * closing is how a body ends, and only a reset says otherwise (RFC 9112 8). TLS tells by its own missing end.
 */
export function cutOff (raw: ServerResponse): void {
  if (isHttp2(raw)) {
    resetStream(raw)
    return
  }
  const { socket, req } = raw
  const isBounded = req.httpVersion !== '1.0' || raw.hasHeader('content-length')
  // One that has been ended is beyond resetting.
  if (!isBounded && socket !== null && socket.writable && !('encrypted' in socket)) socket.resetAndDestroy()
  raw.destroy()
}

/** RFC 9209: what the upstream said goes first. */
export function appendProxyStatus (headers: Record<string, string | string[]>, member: string): void {
  const present = headers['proxy-status']
  headers['proxy-status'] = present === undefined ? member : `${[present].flat().join(', ')}, ${member}`
}
