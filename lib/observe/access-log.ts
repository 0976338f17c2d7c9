import type { Attempt, Exchange } from '../../types/model.ts'
import type { Observer } from '../../types/policy.ts'

/**
 * One line per exchange, when its last byte is out or its client gone. Cancelled ones at debug (nothing is wrong), failures of
 * transport at warn, all others at info. The fields are listed in docs/architecture.md.
 */
export class AccessLog implements Observer {
  onExchange (exchange: Exchange): void {
    const { log } = exchange.request
    const { error } = exchange
    if (error === null) log.info(line(exchange), 'proxied')
    else if (exchange.isAborted) log.debug(failedLine(exchange), 'proxied')
    else if (error.side === 'client') log.info(failedLine(exchange), 'proxied')
    else log.warn(failedLine(exchange), 'proxied')
  }
}

/** Every field costs every request: what only a failure has to tell is in `failedLine`. */
function line (exchange: Exchange): object {
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
    attempts: exchange.attempts,
    reusedSocket: last !== null && last.reused,
    bytesIn: exchange.bytesIn,
    bytesOut: exchange.bytesOut,
    protocol: request.raw.httpVersion,
    durations: durations(exchange, last)
  }
}

function failedLine (exchange: Exchange): object {
  const { error, last } = exchange
  return {
    ...line(exchange),
    upstreamStatus: last === null || last.statusCode === 0 ? null : last.statusCode,
    phase: error!.phase,
    aborted: exchange.isAborted,
    // With its cause, addresses and all: the only place that has them.
    err: error
  }
}

interface Durations {
  total: number
  /** From the start of the last attempt to its request on a connection: the wait for one, or its making. */
  connect: number
  /** From there to the head of the answer. */
  ttfb: number
  responseBody: number
}

function durations (exchange: Exchange, last: Attempt | null): Durations {
  const total = rounded(exchange.endedAt - exchange.startedAt)
  if (last === null || last.sentAt === 0) return { total, connect: 0, ttfb: 0, responseBody: 0 }
  const connect = rounded(last.sentAt - last.startedAt)
  if (last.headAt === 0) return { total, connect, ttfb: 0, responseBody: 0 }
  return { total, connect, ttfb: rounded(last.headAt - last.sentAt), responseBody: rounded(last.endedAt - last.headAt) }
}

/** Hundredths of a millisecond: more digits are noise, and cost time to print. */
function rounded (milliseconds: number): number {
  return Math.round(milliseconds * 100) / 100
}

/** Queries hold tokens and names; they are not for logs. */
function pathOf (target: string): string {
  const question = target.indexOf('?')
  return question === -1 ? target : target.slice(0, question)
}
