import { STATUS_CODES, type ServerResponse } from 'node:http'
import { proxyError } from '../errors.ts'
import { fitToHttp2 } from './http2-fields.ts'
import { isHttp2, streamOf } from './http2-reply.ts'
import { copyResponseHeaders } from './transform/hop-by-hop.ts'

/** 1xx heads that one request may be answered with; an upstream that sends more is not well. */
const LIMIT = 64

/**
 * Relays a 1xx answer (RFC 9110 15.2), but for 100, which is ours to say. Node can write 103 with a Link only, so it is written as it is, and only while this
 * response has the connection to itself: behind an earlier one of a pipeline it is left out, which is always allowed. HTTP/1.0
 * knows no 1xx.
 * @param count how many this is of its request
 * @throws ProxyError `http_protocol_error` for one too many, or none at all; `http_upgrade_failed` for a 101, since one that means it
 * does not come by here
 */
export function relayInformational (statusCode: number, count: number, raw: readonly Buffer[], response: ServerResponse): void {
  // undici takes any three digits; 099 is no interim answer, and no client could read it as one.
  if (statusCode < 100 || count > LIMIT) throw proxyError('http_protocol_error', 'responseHeaders')
  if (statusCode === 101) throw proxyError('http_upgrade_failed', 'upgrade')
  if (statusCode === 100) return
  if (isHttp2(response)) {
    relayOverHttp2(statusCode, raw, response)
    return
  }
  const { socket, req } = response
  if (socket === null || response.headersSent || !socket.writable || req.httpVersion !== '1.1') return
  const headers = copyResponseHeaders(raw)
  let head = `HTTP/1.1 ${statusCode} ${STATUS_CODES[statusCode] ?? ''}\r\n`
  for (const name in headers) {
    if (name === 'content-length') continue // RFC 9110 8.6: never on 1xx
    for (const value of [headers[name]!].flat()) head += `${name}: ${value}\r\n`
  }
  socket.write(`${head}\r\n`, 'latin1')
}

/** HTTP/2 has no 101 (RFC 9113 8.6). */
function relayOverHttp2 (statusCode: number, raw: readonly Buffer[], response: ServerResponse): void {
  const stream = streamOf(response)
  if (response.headersSent || stream.closed || stream.destroyed) return
  const headers = copyResponseHeaders(raw)
  delete headers['content-length']
  fitToHttp2(headers)
  stream.additionalHeaders({ ...headers, ':status': statusCode })
}
