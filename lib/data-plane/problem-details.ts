import { STATUS_CODES } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { ProxyError } from '../errors.ts'

/**
 * The body of our own errors where the app has no say of its own: RFC 9457, with the code and the id under which the log has the
 * rest. Other errors (auth's, validation's) go on to Fastify's own format.
 */
export function problemDetails (error: Error, request: FastifyRequest, reply: FastifyReply): void {
  if (!(error instanceof ProxyError)) throw error
  const { statusCode } = error
  reply.code(statusCode).type('application/problem+json').send(JSON.stringify({
    type: 'about:blank',
    title: STATUS_CODES[statusCode] ?? 'Error',
    status: statusCode,
    detail: error.message,
    code: error.code,
    requestId: request.id
  }))
}
