import type { Exchange } from '../../types/model.ts'
import { bodyOf, connectOf, firstByteOf, queueOf, requestOf } from '../model/stages.ts'
import type { LineBytes } from './line-bytes.ts'

const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1')

const route = bytesOf(',"route":')
const upstream = bytesOf(',"upstream":')
const endpoint = bytesOf(',"endpoint":')
const variant = bytesOf(',"variant":')
const method = bytesOf(',"method":')
const path = bytesOf(',"path":')
const upstreamPath = bytesOf(',"upstreamPath":')
const status = bytesOf(',"status":')
const attempts = bytesOf(',"error":"","flags":"","attempts":')
const reusedSocket = bytesOf(',"reusedSocket":true,"bytesIn":')
const newSocket = bytesOf(',"reusedSocket":false,"bytesIn":')
const bytesOut = bytesOf(',"bytesOut":')
const protocol = bytesOf(',"protocol":')
const total = bytesOf(',"durations":{"total":')
const queue = bytesOf(',"queue":')
const connect = bytesOf(',"connect":')
const requestBody = bytesOf(',"requestBody":')
const ttfb = bytesOf(',"ttfb":')
const responseBody = bytesOf(',"responseBody":')
const noAttempt = bytesOf(',"connect":0,"requestBody":0,"ttfb":0,"responseBody":0}')
const none = bytesOf('null')
const end = bytesOf('}')

/**
 * The fields of access-fields.ts, of an exchange in which nothing failed: the same, in the same order, without an object. Most of an
 * access line's time went into that object and the strings made of it. A line that comes out otherwise is never printed: line-writer.ts
 * holds the first one against pino's.
 */
export function printAccessLine (line: LineBytes, exchange: Exchange): void {
  const { raw } = exchange.request
  const { last } = exchange
  line.piece(route)
  line.name(exchange.route.id)
  line.piece(upstream)
  line.name(exchange.upstream.name)
  line.piece(endpoint)
  if (last === null) line.piece(none)
  else line.name(last.endpoint.origin)
  line.piece(variant)
  line.name(exchange.variant)
  line.piece(method)
  line.name(exchange.request.method)
  line.piece(path)
  printPath(line, raw.url!)
  line.piece(upstreamPath)
  printPath(line, exchange.upstreamPath)
  line.piece(status)
  line.integer(exchange.reply.statusCode)
  line.piece(attempts)
  line.integer(exchange.attempts)
  line.piece(last !== null && last.reused ? reusedSocket : newSocket)
  line.integer(exchange.bytesIn)
  line.piece(bytesOut)
  line.integer(exchange.bytesOut)
  line.piece(protocol)
  line.name(raw.httpVersion)
  line.piece(total)
  line.hundredths(exchange.endedAt - exchange.startedAt)
  line.piece(queue)
  line.hundredths(queueOf(exchange))
  if (last === null) {
    line.piece(noAttempt)
    return
  }
  line.piece(connect)
  line.hundredths(connectOf(last))
  line.piece(requestBody)
  line.hundredths(requestOf(last))
  line.piece(ttfb)
  line.hundredths(firstByteOf(last))
  line.piece(responseBody)
  line.hundredths(bodyOf(last))
  line.piece(end)
}

/** Queries hold tokens and names; they are not for logs. */
function printPath (line: LineBytes, target: string): void {
  const question = target.indexOf('?')
  line.text(target, question === -1 ? target.length : question)
}
