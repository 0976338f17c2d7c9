import type { Phase, ProxyErrorLike } from '../../types/model.ts'
import type { ProxyExchange } from '../model/exchange.ts'
import type { ProxyAttempt } from './attempt.ts'
import { RequestBody } from './request-body.ts'
import { type ErrorName, proxyError } from '../errors.ts'

/** Where an attempt was when it failed. */
export function phaseOf (attempt: ProxyAttempt): Phase {
  if (attempt.sentAt === 0) return 'connect'
  if (attempt.headAt !== 0) return 'responseBody'
  return attempt.exchange.phase === 'requestBody' ? 'requestBody' : 'responseHeaders'
}

/** Whom the exchange was waiting for when its phase became overdue. */
export function overdue (exchange: ProxyExchange, attempt: ProxyAttempt | null): ErrorName {
  switch (exchange.phase) {
    case 'connect':
      return 'connection_timeout'
    case 'requestBody':
      return exchange.outgoing!.body instanceof RequestBody && !exchange.outgoing!.body.isBlocked ? 'client_body_timeout' : 'http_response_timeout'
    case 'responseBody':
      return attempt!.isPaused ? 'client_write_timeout' : 'connection_read_timeout'
    case 'responseRewrite':
      return 'request_timeout'
    default:
      return 'http_response_timeout'
  }
}

/**
 * What Node's parser found wrong with the rest of a request body: Fastify has answered 400 by now, and closed. A body that just
 * ends is a client that left.
 */
export function bodyFault ({ request, reply }: ProxyExchange): ProxyErrorLike | null {
  if (request.raw.httpVersionMajor !== 1) return null
  const { errored } = request.raw.socket
  const code = errored === null || request.raw.complete ? '' : String((errored as NodeJS.ErrnoException).code)
  if (!code.startsWith('HPE_') || code === 'HPE_INVALID_EOF_STATE') return null
  if (!reply.raw.headersSent) reply.code(400) // for the log
  return proxyError('client_body_error', 'requestBody', errored)
}
