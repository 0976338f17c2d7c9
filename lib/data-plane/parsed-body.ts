import type { FastifyRequest } from 'fastify'
import type { ProxyExchange } from '../model/exchange.ts'
import { endsWithHead } from './http2-reply.ts'
import { proxyError } from '../errors.ts'

/*
 * Bodies that are not the client's bytes any more: what code gives reply.proxy, and what a parser of the app's has made of a body before
 * reply.proxy sends the request on. The latter has to arrive as what its content type says; where that cannot be told from what is left, it
 * is refused, never sent as something else (CVE-2025-32996 is about such a thing).
 */

/** A body that code gave: sent as what it is, an object as JSON. */
export function ownBody (exchange: ProxyExchange, body: unknown): Buffer | null {
  if (body === null) return null
  const bytes = bytesOf(body)
  if (bytes !== null) return bytes
  exchange.isJson = true
  return Buffer.from(JSON.stringify(body))
}

/**
 * The bytes of a body that a parser of the app has read.
 * @throws ProxyError `config_error` where the bytes are gone and cannot be made again
 */
export function parsedBody (exchange: ProxyExchange, parsed: unknown): Buffer | null {
  const { request } = exchange
  const type = String(request.headers['content-type'] ?? '')
  if (jsonType.test(type)) return jsonBody(request, parsed)
  if (typeof parsed === 'string' && isDecodedWithLoss(request, parsed)) {
    throw bodyLost(`a parser of the app has read the body of type '${type}' as UTF-8`)
  }
  const bytes = bytesOf(parsed)
  if (bytes !== null) return bytes
  const form = formType.test(type) ? formBody(parsed) : null
  if (form !== null) return form
  // The app's own: no parser had anything to read.
  if (!hasBody(request)) return ownBody(exchange, parsed)
  throw bodyLost(`a parser of the app has taken the body of type '${type}' apart`)
}

/** Bytes that are no UTF-8 become U+FFFD, as Fastify's own parser of text reads them; the length tells it from one that was sent. */
function isDecodedWithLoss (request: FastifyRequest, text: string): boolean {
  return text.includes('\ufffd') && hasBody(request) && Number(request.headers['content-length']) !== Buffer.byteLength(text)
}

/** For a body of whose bytes some are gone, so that the rest would go for all of it. */
export function bodyLost (what: string): Error {
  const advice = 'declare a proxied route, call reply.proxy in a hook before the body is parsed or read, or give it a `body`'
  return proxyError('config_error', 'requestBody', new Error(`${what}, and it cannot be sent on: ${advice}`))
}

function jsonBody ({ headers }: FastifyRequest, parsed: unknown): Buffer {
  if (typeof parsed === 'string') {
    // JSON's own string has lost its quotes, and with them bytes; text that the app leaves unparsed is as long as it came.
    const isShorter = headers['content-length'] !== undefined && Number(headers['content-length']) !== Buffer.byteLength(parsed)
    return Buffer.from(isShorter ? JSON.stringify(parsed) : parsed)
  }
  return bytesOf(parsed) ?? Buffer.from(JSON.stringify(parsed))
}

/** `application/x-www-form-urlencoded` of a flat object; null for what it has no words for. */
function formBody (parsed: unknown): Buffer | null {
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return null
  const form = new URLSearchParams()
  for (const [name, value] of Object.entries(parsed)) {
    for (const one of [value].flat() as unknown[]) {
      if (typeof one !== 'string') return null
      form.append(name, one)
    }
  }
  return Buffer.from(form.toString())
}

function bytesOf (body: unknown): Buffer | null {
  if (Buffer.isBuffer(body)) return body
  if (typeof body === 'string') return Buffer.from(body)
  return ArrayBuffer.isView(body) ? Buffer.from(body.buffer, body.byteOffset, body.byteLength) : null
}

/** True for a request that is framed as one with a body (RFC 9112 6.3). */
function hasBody ({ raw }: FastifyRequest): boolean {
  const { headers } = raw
  if (raw.httpVersionMajor === 2) return !endsWithHead(raw)
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length']) > 0
}

const jsonType = /^[^;]*[/+]json\s*(?:;|$)/i
const formType = /^application\/x-www-form-urlencoded\s*(?:;|$)/i
