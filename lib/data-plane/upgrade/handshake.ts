import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { proxyError, type ProxyError } from '../../errors.ts'

/** 16 bytes in base64 (RFC 6455 4.2.1). */
const key = /^[A-Za-z0-9+/]{22}==$/
/** RFC 6455 1.3 */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** Whether an upgrade may become a tunnel: everything else is a request like any other (RFC 9110 7.8 leaves that to us). */
export function isWebSocketHandshake ({ method, httpVersion, headers }: IncomingMessage): boolean {
  return method === 'GET' && httpVersion === '1.1' && hasToken(headers.upgrade, 'websocket') && !hasContent(headers)
}

/** What comes behind the head would be content or frames, depending on who reads it. */
function hasContent (headers: IncomingHttpHeaders): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'
}

export function hasToken (list: string | undefined, token: string): boolean {
  return list !== undefined && list.toLowerCase().split(',').some((item) => item.trim() === token)
}

/** What is wrong with a client's handshake, by RFC 6455 4.2.1; null for nothing. */
export function findClientFault (headers: IncomingHttpHeaders): ProxyError | null {
  if (headers['sec-websocket-version'] !== '13') return proxyError('upgrade_required', 'upgrade')
  return key.test(headers['sec-websocket-key'] ?? '') ? null : proxyError('http_request_error', 'upgrade', new Error('Sec-WebSocket-Key is not one'))
}

type Headers = Record<string, string | string[]>

/** What is wrong with the upstream's 101: it has to speak the protocol that was asked for, and to have read the request. */
export function findUpstreamFault (sent: Headers, upgrade: string, received: Headers): ProxyError | null {
  let fault: string | null = null
  // RFC 9110 7.8: no switch to what was not asked for.
  if (upgrade.toLowerCase() !== 'websocket') fault = 'it switched to another protocol'
  else if (received['sec-websocket-accept'] !== acceptOf(String(sent['sec-websocket-key']))) fault = 'its Sec-WebSocket-Accept is not the one of this request'
  return fault === null ? null : proxyError('http_upgrade_failed', 'upgrade', new Error(fault))
}

export function acceptOf (clientKey: string): string {
  return createHash('sha1').update(clientKey + GUID).digest('base64')
}
