import type { FastifyBaseLogger } from 'fastify'
import type { Exchange, TunnelInfo } from '../../types/model.ts'
import type { Observer } from '../../types/policy.ts'
import { LazyLogger } from '../model/lazy-logger.ts'
import { accessFields } from './access-fields.ts'
import { LineWriter } from './line-writer.ts'

/**
 * One line per exchange, when its last byte is out or its client gone. Cancelled ones at debug (nothing is wrong), failures of
 * transport at warn, all others at info. The fields are listed in docs/access-log.md.
 */
export class AccessLog implements Observer {
  #writer: LineWriter | null = null
  /** Whose lines the writer prints. */
  #parent: FastifyBaseLogger | null = null
  #isHasty = false

  onExchange (exchange: Exchange): void {
    if (exchange.error === null && exchange.tunnel === null && this.#willBePrinted(exchange)) {
      if (this.#isHasty) this.flush()
      return
    }
    // Those that wait came first.
    this.flush()
    tryToWrite(exchange)
  }

  /** Writes the lines that wait for others. */
  flush (): void {
    this.#writer?.flush()
  }

  /** From here on no line waits: an app that closes may close its log before it closes us. */
  hurry (): void {
    this.#isHasty = true
    this.flush()
  }

  /** @returns false where the request's logger has something of its own to say in its lines */
  #willBePrinted (exchange: Exchange): boolean {
    const log: unknown = exchange.request.log
    if (!(log instanceof LazyLogger) || !log.isUnused) return false
    if (log.parent !== this.#parent) {
      this.flush()
      this.#parent = log.parent
      this.#writer = LineWriter.create(log.parent, log.requestBindings, exchange)
    }
    return this.#writer !== null && this.#writer.add(exchange, log.requestBindings)
  }
}

function tryToWrite (exchange: Exchange): void {
  try {
    write(exchange)
  } catch {
    // The app's stream, or a serializer of its own. There is nowhere left to say so, and the client has its answer: this runs
    // behind the response, where what is thrown would end the process.
  }
}

function write (exchange: Exchange): void {
  const { log } = exchange.request
  const { error } = exchange
  if (exchange.tunnel !== null && exchange.tunnel.startedAt !== 0) log[error === null ? 'info' : 'warn'](tunnelLine(exchange, exchange.tunnel), 'proxied')
  else if (error === null) log.info(accessFields(exchange), 'proxied')
  else if (exchange.isAborted) log.debug(failedLine(exchange), 'proxied')
  else if (error.side === 'client') log.info(failedLine(exchange), 'proxied')
  else log.warn(failedLine(exchange), 'proxied')
}

/** A tunnel's line comes when it is closed. */
function tunnelLine (exchange: Exchange, tunnel: TunnelInfo): object {
  const fields = (exchange.error === null ? accessFields(exchange) : failedLine(exchange)) as { durations: object }
  const open = Math.round((tunnel.endedAt - tunnel.startedAt) * 100) / 100
  return { ...fields, closedBy: tunnel.closedBy, durations: { ...fields.durations, tunnel: open } }
}

function failedLine (exchange: Exchange): object {
  const { error, last } = exchange
  return {
    ...accessFields(exchange),
    upstreamStatus: last === null || last.statusCode === 0 ? null : last.statusCode,
    phase: error!.phase,
    aborted: exchange.isAborted,
    code: error!.code,
    // With its cause, addresses and all: the only place that has them.
    err: error
  }
}
