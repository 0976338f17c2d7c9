import type { FastifyBaseLogger } from 'fastify'
import type { Exchange } from '../../types/model.ts'
import type { Observer } from '../../types/policy.ts'
import { bodyOf, connectOf, firstByteOf, queueOf, requestOf } from '../model/stages.ts'
import { LazyLogger } from '../model/lazy-logger.ts'
import { flagsOf } from './flags.ts'
import { LineWriter } from './line-writer.ts'

/**
 * One line per exchange, when its last byte is out or its client gone. Cancelled ones at debug (nothing is wrong), failures of
 * transport at warn, all others at info. The fields are listed in docs/access-log.md.
 */
export class AccessLog implements Observer {
  #writer: LineWriter | null = null
  /** Whose lines the writer prints. */
  #parent: FastifyBaseLogger | null = null

  onExchange (exchange: Exchange): void {
    try {
      if (exchange.error !== null || !this.#print(exchange)) write(exchange)
    } catch {
      // The app's stream, or a serializer of its own. There is nowhere left to say so, and the client has its answer: this runs
      // behind the response, where what is thrown would end the process.
    }
  }

  /** Prints what has waited for the end of the turn. */
  flush (): void {
    this.#writer?.flush()
  }

  /** @returns false where the request's logger has something of its own to say in its lines */
  #print (exchange: Exchange): boolean {
    const log: unknown = exchange.request.log
    if (!(log instanceof LazyLogger) || !log.isUnused) return false
    const fields = line(exchange)
    if (log.parent !== this.#parent) {
      this.flush()
      this.#parent = log.parent
      this.#writer = LineWriter.create(log.parent, fields)
    }
    return this.#writer !== null && this.#writer.write(log.requestBindings, fields)
  }
}

function write (exchange: Exchange): void {
  const { log } = exchange.request
  const { error } = exchange
  if (error === null) log.info(line(exchange), 'proxied')
  else if (exchange.isAborted) log.debug(failedLine(exchange), 'proxied')
  else if (error.side === 'client') log.info(failedLine(exchange), 'proxied')
  else log.warn(failedLine(exchange), 'proxied')
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
    flags: flagsOf(exchange.error, exchange.attempts),
    attempts: exchange.attempts,
    reusedSocket: last !== null && last.reused,
    bytesIn: exchange.bytesIn,
    bytesOut: exchange.bytesOut,
    protocol: request.raw.httpVersion,
    durations: durations(exchange)
  }
}

function failedLine (exchange: Exchange): object {
  const { error, last } = exchange
  return {
    ...line(exchange),
    upstreamStatus: last === null || last.statusCode === 0 ? null : last.statusCode,
    phase: error!.phase,
    aborted: exchange.isAborted,
    code: error!.code,
    // With its cause, addresses and all: the only place that has them.
    err: error
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

/** Queries hold tokens and names; they are not for logs. */
function pathOf (target: string): string {
  const question = target.indexOf('?')
  return question === -1 ? target : target.slice(0, question)
}
