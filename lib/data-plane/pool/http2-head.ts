import type { OutgoingHttpHeaders } from 'node:http2'
import type { Dispatcher } from 'undici'
import { fitToHttp2 } from '../http2-fields.ts'
import { proxyError } from '../../errors.ts'

/** RFC 9113 8.3.1: what is the request line and Host of HTTP/1.1 are fields here. */
export function requestFields ({ method, path, headers }: Dispatcher.DispatchOptions, isForAll: boolean): OutgoingHttpHeaders {
  const given = (headers ?? {}) as Record<string, string | string[]>
  const fields: Record<string, string | string[]> = { ':method': method, ':path': isForAll ? '*' : path }
  for (const name in given) fields[name === 'host' ? ':authority' : name] = given[name]!
  fitToHttp2(fields)
  return fields
}

export function fieldsOf (raw: readonly string[]): Buffer[] {
  const fields: Buffer[] = []
  for (let index = 0; index + 1 < raw.length; index += 2) {
    if (raw[index]!.charCodeAt(0) !== 0x3a) fields.push(Buffer.from(raw[index]!, 'latin1'), Buffer.from(raw[index + 1]!, 'latin1'))
  }
  return fields
}

/** What Node throws when a request cannot be begun: the session has just gone, or a field cannot be sent. */
export function named (error: NodeJS.ErrnoException): Error {
  switch (error.code) {
    case 'ERR_HTTP2_GOAWAY_SESSION':
    case 'ERR_HTTP2_INVALID_SESSION':
    case 'ERR_HTTP2_OUT_OF_STREAMS':
      return proxyError('request_refused', 'connect', error)
    case 'ERR_INVALID_CHAR':
    case 'ERR_INVALID_HTTP_TOKEN':
    case 'ERR_HTTP2_INVALID_CONNECTION_HEADERS':
    case 'ERR_HTTP2_INVALID_HEADER_VALUE':
    case 'ERR_HTTP2_PSEUDOHEADER_NOT_ALLOWED':
      return proxyError('http_request_error', 'requestHeaders', error)
    default:
      return error
  }
}
