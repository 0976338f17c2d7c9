import type { Exchange } from '../../types/model.ts'
import { bodyOf, connectOf, firstByteOf, queueOf, requestOf } from '../model/stages.ts'
import { flagsOf } from './flags.ts'

/** Every field costs every request: what only a failure has to tell is in access-log.ts. */
export function accessFields (exchange: Exchange): object {
  const { request, last } = exchange
  return {
    route: exchange.route.id,
    upstream: exchange.upstream.name,
    endpoint: last === null ? null : last.endpoint.origin,
    variant: exchange.variant,
    method: request.method,
    path: pathOf(request.raw.url!),
    upstreamPath: pathOf(exchange.upstreamPath),
    // 499 is told here only: the client who left saw nothing.
    status: exchange.isAborted ? 499 : exchange.reply.statusCode,
    error: exchange.error === null ? '' : exchange.error.error,
    flags: flagsOf(exchange.error, exchange.attempts),
    attempts: exchange.attempts,
    reusedSocket: last !== null && last.reused,
    bytesIn: exchange.bytesIn,
    bytesOut: exchange.bytesOut,
    protocol: request.raw.httpVersion,
    durations: durations(exchange)
  }
}

/** Of the last attempt, but for `total` and `queue`; see Stages for what each is. */
interface Durations {
  total: number
  queue: number
  connect: number
  requestBody: number
  ttfb: number
  responseBody: number
}

function durations (exchange: Exchange): Durations {
  const { last } = exchange
  const total = rounded(exchange.endedAt - exchange.startedAt)
  const queue = rounded(queueOf(exchange))
  if (last === null) return { total, queue, connect: 0, requestBody: 0, ttfb: 0, responseBody: 0 }
  return {
    total,
    queue,
    connect: rounded(connectOf(last)),
    requestBody: rounded(requestOf(last)),
    ttfb: rounded(firstByteOf(last)),
    responseBody: rounded(bodyOf(last))
  }
}

/** Hundredths of a millisecond: more digits are noise, and cost time to print. */
function rounded (milliseconds: number): number {
  return Math.round(milliseconds * 100) / 100
}

/** Queries hold tokens and names, and the authority of an absolute-form target perhaps a password; they are not for logs. */
export function pathOf (target: string): string {
  const begin = target.charCodeAt(0) === 0x2f ? 0 : absolute.exec(target)?.[0].length ?? 0
  const question = target.indexOf('?', begin)
  return question === -1 ? target.slice(begin) : target.slice(begin, question)
}

const absolute = /^[a-z][a-z0-9+.-]*:\/\/(?:.*@)?[^/?#]*/i
