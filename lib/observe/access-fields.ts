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

/** Queries hold tokens and names; they are not for logs. */
function pathOf (target: string): string {
  const question = target.indexOf('?')
  return question === -1 ? target : target.slice(0, question)
}

/**
 * The JSON of `accessFields` where nothing failed, without its braces: written out, since a generic printer takes three times as long. A
 * test compares the two.
 */
export function printAccessFields (exchange: Exchange): string {
  const { request, last } = exchange
  return `"route":${quoted(exchange.route.id)},"upstream":${quoted(exchange.upstream.name)},` +
    `"endpoint":${last === null ? 'null' : quoted(last.endpoint.origin)},"variant":${quoted(exchange.variant)},` +
    `"method":${quoted(request.method)},"path":${quoted(pathOf(request.raw.url!))},"upstreamPath":${quoted(pathOf(exchange.upstreamPath))},` +
    `"status":${exchange.reply.statusCode},"error":"","flags":"","attempts":${exchange.attempts},"reusedSocket":${last !== null && last.reused},` +
    `"bytesIn":${exchange.bytesIn},"bytesOut":${exchange.bytesOut},"protocol":${quoted(request.raw.httpVersion)},"durations":${printDurations(exchange)}`
}

function printDurations (exchange: Exchange): string {
  const { total, queue, connect, requestBody, ttfb, responseBody } = durations(exchange)
  return `{"total":${total},"queue":${queue},"connect":${connect},"requestBody":${requestBody},"ttfb":${ttfb},"responseBody":${responseBody}}`
}

/** What JSON leaves as it is: nearly every value there is. */
const plain = /^[ !#-[\]-~]*$/

/** A string as JSON has it. */
export function quoted (text: string): string {
  return plain.test(text) ? `"${text}"` : JSON.stringify(text)
}
