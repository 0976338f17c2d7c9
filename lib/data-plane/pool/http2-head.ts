import type { OutgoingHttpHeaders } from 'node:http2'
import type { Dispatcher } from 'undici'
import { fitToHttp2 } from '../http2-fields.ts'
import { proxyError } from '../../errors.ts'

/** Fields of one head; as many as Node's parser of HTTP/1.1 takes. */
export const LIST_PAIRS = 2000
/** Added for each field to its bytes (RFC 9113 6.5.2). */
const FIELD_OVERHEAD = 32

/** The bound that Node keeps by itself: above that of `fieldsOf`, which counts as HTTP/1.1 does. */
export function listSizeOf (headLimit: number): number {
  return headLimit + LIST_PAIRS * FIELD_OVERHEAD
}

/**
 * The request line and Host of HTTP/1.1 are fields here (RFC 9113 8.3.1), and names are lower case.
 * @param options those in which `checkRequest` has found nothing
 * @param authority where the headers say none
 */
export function requestFields (
  { method, path, headers }: Dispatcher.DispatchOptions,
  isForAll: boolean,
  authority: string
): OutgoingHttpHeaders {
  const given = (headers ?? {}) as Record<string, string | string[] | null | undefined>
  const fields: Record<string, string | string[]> = { ':method': method, ':path': isForAll ? '*' : path }
  for (const spelt in given) {
    const value = given[spelt]
    if (value === undefined) continue
    const lower = spelt.toLowerCase()
    const name = lower === 'host' ? ':authority' : lower
    const present = fields[name]
    // Two spellings of one name are two lines.
    fields[name] = present === undefined ? textOf(value) : [present, textOf(value)].flat()
  }
  fields[':authority'] ??= authority
  fitToHttp2(fields)
  return fields
}

/**
 * The text of a value, with null as undici writes it, in a list too; without the space around it, which a reader of HTTP/1.1 takes off and
 * one of HTTP/2 drops the field for (RFC 9113 8.2.1).
 */
function textOf (value: string | string[] | null): string | string[] {
  if (value === null) return ''
  return Array.isArray(value) ? value.map((item) => trimmed(item ?? '')) : trimmed(value)
}

/** Takes numbers, too: `checkRequest` lets them pass, as undici does. */
function trimmed (value: string): string {
  const text = String(value)
  return isSpace(text.charCodeAt(0)) || isSpace(text.charCodeAt(text.length - 1)) ? text.replace(/^[\t ]+|[\t ]+$/g, '') : text
}

function isSpace (code: number): boolean {
  return code === 0x20 || code === 0x09
}

/**
 * @param headLimit bytes of names and values
 * @throws ProxyError where there are more
 */
export function fieldsOf (raw: readonly string[], headLimit: number): Buffer[] {
  const fields: Buffer[] = []
  let size = 0
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index]!
    const value = raw[index + 1]!
    if (name.charCodeAt(0) === 0x3a) continue
    size += name.length + value.length
    // As undici has it, the limit itself is too much.
    if (size >= headLimit) throw proxyError('http_response_header_section_size', 'responseHeaders')
    fields.push(Buffer.from(name, 'latin1'), Buffer.from(value, 'latin1'))
  }
  return fields
}

/** Names the error that Node throws where the session has just gone; `checkRequest` has refused fields that it would throw for. */
export function named (error: NodeJS.ErrnoException): Error {
  switch (error.code) {
    case 'ERR_HTTP2_GOAWAY_SESSION':
    case 'ERR_HTTP2_INVALID_SESSION':
    case 'ERR_HTTP2_OUT_OF_STREAMS':
      return proxyError('request_refused', 'connect', error)
    case 'ERR_HTTP2_INVALID_CONNECTION_HEADERS':
    case 'ERR_HTTP2_CONNECT_PATH':
    case 'ERR_HTTP2_CONNECT_SCHEME':
    case 'ERR_HTTP2_CONNECT_AUTHORITY':
      return proxyError('http_request_error', 'requestHeaders', error)
    default:
      return error
  }
}
