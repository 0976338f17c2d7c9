import type { IncomingHttpHeaders } from 'node:http'
import type { ProxyErrorLike } from '../../types/model.ts'
import type { ProxyExchange } from '../model/exchange.ts'
import { isHttp2, joinHeadAndEnd } from './http2-reply.ts'

/*
 * gRPC is HTTP/2 with its status behind the body. Messages and trailers pass like any; what is done here is what a client of gRPC
 * could not make sense of otherwise: errors of ours, and its deadline, which is ours as well.
 */

/** https://github.com/grpc/grpc/blob/master/doc/statuscodes.md */
const CANCELLED = 1
const DEADLINE_EXCEEDED = 4
const RESOURCE_EXHAUSTED = 8
const UNIMPLEMENTED = 12
const INTERNAL = 13
const UNAVAILABLE = 14

const byStatus: Readonly<Record<number, number>> = {
  400: INTERNAL,
  404: UNIMPLEMENTED,
  408: DEADLINE_EXCEEDED,
  413: RESOURCE_EXHAUSTED,
  429: UNAVAILABLE,
  499: CANCELLED,
  500: INTERNAL,
  502: UNAVAILABLE,
  503: UNAVAILABLE,
  504: DEADLINE_EXCEEDED
}

/** Milliseconds of each unit of grpc-timeout. */
const units: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 }

/** grpc-web has another suffix, and its status in the body. */
export function isGrpc (headers: IncomingHttpHeaders): boolean {
  const type = headers['content-type']
  return type !== undefined && type.startsWith('application/grpc') && (type.length === 16 || type[16] === '+' || type[16] === ';')
}

/** The client gives up after `grpc-timeout`, so it is the least of the exchange's own deadlines, too. */
export function openGrpc (exchange: ProxyExchange): void {
  exchange.isGrpc = true
  const timeout = parseTimeout(exchange.request.headers['grpc-timeout'] as string | undefined)
  if (timeout === null) return
  exchange.grpcDue = exchange.startedAt + timeout
  if (exchange.grpcDue < exchange.totalDue) exchange.totalDue = exchange.grpcDue
}

/** Milliseconds; null for none, and for what is none: gRPC's own servers decide about that. */
export function parseTimeout (value: string | undefined): number | null {
  const parts = value === undefined ? null : /^(\d{1,8})([HMSmun])$/.exec(value)
  return parts === null ? null : Number(parts[1]) * units[parts[2]!]!
}

/** Not who was slow, but whether waiting longer would have helped: nothing had been asked yet when these came up. */
const unreachable = new Set(['dns_timeout', 'connection_timeout'])

export function grpcStatus (error: ProxyErrorLike): number {
  if (unreachable.has(error.error)) return UNAVAILABLE
  return byStatus[error.statusCode] ?? (error.statusCode < 500 ? INTERNAL : UNAVAILABLE)
}

/** Answers with an error as gRPC has it: HTTP 200, and the status in a head that nothing follows (Trailers-Only). */
export function sendGrpcError (exchange: ProxyExchange, error: ProxyErrorLike): void {
  const { reply } = exchange
  reply.code(200).removeHeader('content-length')
  reply.header('content-type', 'application/grpc')
  reply.header('grpc-status', String(grpcStatus(error)))
  reply.header('grpc-message', percentEncode(error.message))
  if (isHttp2(reply.raw)) joinHeadAndEnd(reply.raw)
  reply.send()
}

/** ASCII but for controls and '%' stays as it is (gRPC over HTTP/2, Status-Message). */
function percentEncode (message: string): string {
  return message.replace(/[^\x20-\x24\x26-\x7e]/gu, encodeURIComponent)
}
