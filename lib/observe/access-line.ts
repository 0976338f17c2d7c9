import type { Attempt, Exchange } from '../../types/model.ts'
import { bodyOf, connectOf, firstByteOf, queueOf, requestOf } from '../model/stages.ts'
import { pathOf } from './access-fields.ts'
import type { LineBytes } from './line-bytes.ts'
import { Names } from './names.ts'

const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'))

const routes = new Names(',"route":', '')
const upstreams = new Names(',"upstream":', '')
const endpoints = new Names(',"endpoint":', '')
const noEndpoint = bytesOf(',"endpoint":null')
const variants = new Names(',"variant":', '')
const methods = new Names(',"method":', ',"path":')
const upstreamPath = bytesOf(',"upstreamPath":')
const statuses = new Names(',"status":', ',"error":"","flags":"","attempts":')
const reusedSocket = bytesOf(',"reusedSocket":true,"bytesIn":')
const newSocket = bytesOf(',"reusedSocket":false,"bytesIn":')
const bytesOut = bytesOf(',"bytesOut":')
const protocols = new Names(',"protocol":', ',"durations":{"total":')
const queue = bytesOf(',"queue":')
const noAttempt = bytesOf(',"connect":0,"requestBody":0,"ttfb":0,"responseBody":0}')
/** Of a request without a body, on a connection that was there: nearly all. */
const sentAtOnce = bytesOf(',"connect":0,"requestBody":0,"ttfb":')
const connect = bytesOf(',"connect":')
const requestBody = bytesOf(',"requestBody":')
const ttfb = bytesOf(',"ttfb":')
const responseBody = bytesOf(',"responseBody":')
const end = bytesOf('}')

/**
 * The fields of access-fields.ts, of an exchange in which nothing failed: the same, in the same order, without an object. Most of an
 * access line's time went into that object and the strings made of it. A line that comes out otherwise is never printed: line-writer.ts
 * holds the first one against pino's.
 */
export function printAccessLine (line: LineBytes, exchange: Exchange): void {
  const { request, last } = exchange
  const { raw } = request
  line.name(routes, exchange.route.id)
  line.name(upstreams, exchange.upstream.name)
  if (last === null) line.piece(noEndpoint)
  else line.name(endpoints, last.endpoint.origin)
  line.name(variants, exchange.variant)
  line.name(methods, request.method)
  printPath(line, raw.url!)
  line.piece(upstreamPath)
  printPath(line, exchange.upstreamPath)
  line.name(statuses, exchange.reply.statusCode)
  line.integer(exchange.attempts)
  line.piece(last !== null && last.reused ? reusedSocket : newSocket)
  line.integer(exchange.bytesIn)
  line.piece(bytesOut)
  line.integer(exchange.bytesOut)
  line.name(protocols, raw.httpVersion)
  line.hundredths(exchange.endedAt - exchange.startedAt)
  line.piece(queue)
  line.hundredths(queueOf(exchange))
  if (last === null) line.piece(noAttempt)
  else printAttempt(line, last)
}

function printAttempt (line: LineBytes, attempt: Attempt): void {
  const connectTime = connectOf(attempt)
  const requestTime = requestOf(attempt)
  if (connectTime === 0 && requestTime === 0) {
    line.piece(sentAtOnce)
  } else {
    line.piece(connect)
    line.hundredths(connectTime)
    line.piece(requestBody)
    line.hundredths(requestTime)
    line.piece(ttfb)
  }
  line.hundredths(firstByteOf(attempt))
  line.piece(responseBody)
  line.hundredths(bodyOf(attempt))
  line.piece(end)
}

/** See `pathOf`. */
function printPath (line: LineBytes, target: string): void {
  if (target.charCodeAt(0) !== 0x2f) target = pathOf(target)
  const question = target.indexOf('?')
  line.text(target, question === -1 ? target.length : question)
}
