import createError, { type FastifyErrorConstructor } from '@fastify/error'
import type { Phase, ProxyErrorLike } from '../types/model.ts'
import type { Problem } from '../types/control.ts'

interface Row {
  readonly status: number
  /** Who is to blame. */
  readonly side: 'client' | 'upstream' | 'proxy'
  /** Whether the upstream may have seen the request: false makes any method safe to try again. */
  readonly sent: boolean
  /** The word of RFC 9209 in Proxy-Status; null where the RFC has none. */
  readonly proxyStatus: string | null
  /** All that the client is told; addresses and causes go to the log only. */
  readonly message: string
  /** Seconds in Retry-After; 0 for none. */
  readonly retryAfter?: number
}

const table: Readonly<Record<ErrorName, Row>> = {
  config_error:                      { status: 500, side: 'proxy',    sent: false, proxyStatus: 'proxy_configuration_error',     message: 'the proxy is not configured for this request' },
  no_healthy_upstream:               { status: 503, side: 'proxy',    sent: false, proxyStatus: 'destination_unavailable',       message: 'no upstream endpoint is available' },
  circuit_open:                      { status: 503, side: 'proxy',    sent: false, proxyStatus: 'destination_unavailable',       message: 'the upstream has failed too often to be asked now', retryAfter: 1 },
  upstream_overflow:                 { status: 503, side: 'proxy',    sent: false, proxyStatus: 'connection_limit_reached',      message: 'no connection to the upstream can be opened', retryAfter: 1 },
  queue_timeout:                     { status: 503, side: 'proxy',    sent: false, proxyStatus: 'connection_limit_reached',      message: 'no connection to the upstream became free in time', retryAfter: 1 },
  dns_error:                         { status: 502, side: 'upstream', sent: false, proxyStatus: 'dns_error',                     message: 'the name of the upstream cannot be resolved' },
  dns_timeout:                       { status: 504, side: 'upstream', sent: false, proxyStatus: 'dns_timeout',                   message: 'resolving the name of the upstream took too long' },
  connection_refused:                { status: 502, side: 'upstream', sent: false, proxyStatus: 'connection_refused',            message: 'the upstream refused the connection' },
  destination_ip_unroutable:         { status: 502, side: 'upstream', sent: false, proxyStatus: 'destination_ip_unroutable',     message: 'there is no route to the upstream' },
  connection_timeout:                { status: 504, side: 'upstream', sent: false, proxyStatus: 'connection_timeout',            message: 'connecting to the upstream took too long' },
  tls_certificate_error:             { status: 502, side: 'upstream', sent: false, proxyStatus: 'tls_certificate_error',         message: 'the certificate of the upstream is not trusted' },
  tls_protocol_error:                { status: 502, side: 'upstream', sent: false, proxyStatus: 'tls_protocol_error',            message: 'the TLS handshake with the upstream failed' },
  tls_alert_received:                { status: 502, side: 'upstream', sent: false, proxyStatus: 'tls_alert_received',            message: 'the upstream ended the TLS handshake' },
  connection_terminated:             { status: 502, side: 'upstream', sent: true,  proxyStatus: 'connection_terminated',         message: 'the upstream closed the connection before it answered' },
  request_refused:                   { status: 502, side: 'upstream', sent: false, proxyStatus: 'connection_terminated',         message: 'the upstream refused the request unseen' },
  tunnel_broken:                     { status: 502, side: 'upstream', sent: false, proxyStatus: 'http_protocol_error',           message: 'the connection to the upstream could not be made' },
  http_response_timeout:             { status: 504, side: 'upstream', sent: true,  proxyStatus: 'http_response_timeout',         message: 'the upstream did not answer in time' },
  request_timeout:                   { status: 504, side: 'proxy',    sent: true,  proxyStatus: 'http_response_timeout',         message: 'the request took too long' },
  connection_read_timeout:           { status: 504, side: 'upstream', sent: true,  proxyStatus: 'connection_read_timeout',       message: 'the upstream fell silent' },
  http_response_incomplete:          { status: 502, side: 'upstream', sent: true,  proxyStatus: 'http_response_incomplete',      message: 'the upstream broke off its response' },
  http_protocol_error:               { status: 502, side: 'upstream', sent: true,  proxyStatus: 'http_protocol_error',           message: 'the upstream sent an invalid response' },
  http_response_header_section_size: { status: 502, side: 'upstream', sent: true,  proxyStatus: 'http_response_header_section_size', message: 'the head of the upstream response is too large' },
  http_response_body_size:           { status: 502, side: 'upstream', sent: true,  proxyStatus: 'http_response_body_size',       message: 'the body of the upstream response is too large' },
  http_response_content_coding:      { status: 502, side: 'upstream', sent: true,  proxyStatus: 'http_response_content_coding',  message: 'the upstream response cannot be decoded' },
  http_request_error:                { status: 400, side: 'client',   sent: false, proxyStatus: 'http_request_error',            message: 'the request is not valid' },
  unknown_transfer_coding:           { status: 501, side: 'client',   sent: false, proxyStatus: 'http_request_error',            message: 'the transfer coding of the request is not known' },
  misdirected_request:               { status: 421, side: 'client',   sent: false, proxyStatus: 'http_request_error',            message: 'the host of the request is not one of this route' },
  http_upgrade_failed:               { status: 502, side: 'upstream', sent: true,  proxyStatus: 'http_upgrade_failed',           message: 'the upstream did not switch protocols as it was asked to' },
  http_request_denied:               { status: 403, side: 'client',   sent: false, proxyStatus: 'http_request_denied',           message: 'the request is not allowed' },
  upgrade_required:                  { status: 426, side: 'client',   sent: false, proxyStatus: 'http_request_error',            message: 'the version of the protocol is not one that is spoken here' },
  content_too_large:                 { status: 413, side: 'client',   sent: true,  proxyStatus: 'http_request_error',            message: 'the request body is too large' },
  client_body_error:                 { status: 400, side: 'client',   sent: true,  proxyStatus: 'http_request_error',            message: 'the request body could not be read' },
  client_body_timeout:               { status: 408, side: 'client',   sent: true,  proxyStatus: 'http_request_error',            message: 'the request body did not arrive in time' },
  client_write_timeout:              { status: 499, side: 'client',   sent: true,  proxyStatus: null,                            message: 'the client stopped reading the response' },
  client_closed_request:             { status: 499, side: 'client',   sent: true,  proxyStatus: null,                            message: 'the client closed the connection' },
  proxy_loop_detected:               { status: 502, side: 'proxy',    sent: false, proxyStatus: 'proxy_loop_detected',           message: 'the request has passed this proxy before' },
  shutting_down:                     { status: 503, side: 'proxy',    sent: false, proxyStatus: 'proxy_internal_response',       message: 'the proxy is shutting down' },
  internal_error:                    { status: 500, side: 'proxy',    sent: false, proxyStatus: 'proxy_internal_error',          message: 'the proxy failed' }
}

export type ErrorName =
  | 'config_error'
  | 'no_healthy_upstream'
  | 'circuit_open'
  | 'upstream_overflow'
  | 'queue_timeout'
  | 'dns_error'
  | 'dns_timeout'
  | 'connection_refused'
  | 'destination_ip_unroutable'
  | 'connection_timeout'
  | 'tls_certificate_error'
  | 'tls_protocol_error'
  | 'tls_alert_received'
  | 'connection_terminated'
  | 'request_refused'
  | 'tunnel_broken'
  | 'http_response_timeout'
  | 'request_timeout'
  | 'connection_read_timeout'
  | 'http_response_incomplete'
  | 'http_protocol_error'
  | 'http_response_header_section_size'
  | 'http_response_body_size'
  | 'http_response_content_coding'
  | 'http_request_error'
  | 'unknown_transfer_coding'
  | 'misdirected_request'
  | 'http_upgrade_failed'
  | 'http_request_denied'
  | 'upgrade_required'
  | 'content_too_large'
  | 'client_body_error'
  | 'client_body_timeout'
  | 'client_write_timeout'
  | 'client_closed_request'
  | 'proxy_loop_detected'
  | 'shutting_down'
  | 'internal_error'
export const errorNames: readonly ErrorName[] = Object.keys(table) as ErrorName[]

/**
 * The words of semantics 3 that share a row's label with another status. `client_body_error` answers 400 or 408 and
 * `http_request_error` 400, 413, 421 or 426, yet each is one label in logs and metrics.
 */
const labels: Partial<Record<ErrorName, ErrorName>> = {
  request_refused: 'connection_terminated',
  tunnel_broken: 'http_protocol_error',
  client_body_timeout: 'client_body_error',
  content_too_large: 'http_request_error',
  unknown_transfer_coding: 'http_request_error',
  misdirected_request: 'http_request_error',
  upgrade_required: 'http_request_error'
}

/** Base of everything the data plane answers with, so that one `instanceof` tells ours from others'. */
export class ProxyError extends Error implements ProxyErrorLike {
  declare readonly code: string
  declare readonly statusCode: number
  declare readonly error: string
  declare readonly side: 'client' | 'upstream' | 'proxy'
  declare readonly sent: boolean
  declare readonly phase: Phase
  declare readonly proxyStatus: string | null
  declare readonly retryAfter: number
}

type ProxyErrorConstructor = new (options?: { cause?: unknown }) => ProxyError

const constructors = new Map<ErrorName, ProxyErrorConstructor>()
for (const name of errorNames) {
  const row = table[name]
  const code = `FST_SLUICE_${(labels[name] ?? name).toUpperCase()}`
  // createError types its result as FastifyError; with our base it is also a ProxyError.
  constructors.set(name, createError(code, row.message, row.status, ProxyError as unknown as ErrorConstructor) as unknown as ProxyErrorConstructor)
}

/** Makes the error of one row. The cause is kept for the log. */
export function proxyError (name: ErrorName, phase: Phase, cause?: unknown): ProxyError {
  const row = table[name]
  const Constructor = constructors.get(name)!
  const error = cause === undefined ? new Constructor() : new Constructor({ cause })
  return Object.assign(error, {
    error: labels[name] ?? name,
    side: row.side,
    sent: row.sent,
    phase,
    proxyStatus: row.proxyStatus,
    retryAfter: row.retryAfter ?? 0
  })
}

const byCode: Record<string, ErrorName> = {
  ENOTFOUND: 'dns_error',
  ENODATA: 'dns_error',
  EAI_FAIL: 'dns_error',
  EAI_NONAME: 'dns_error',
  EAI_NODATA: 'dns_error',
  EAI_AGAIN: 'dns_timeout',
  ETIMEOUT: 'dns_timeout',
  ECONNREFUSED: 'connection_refused',
  EHOSTUNREACH: 'destination_ip_unroutable',
  ENETUNREACH: 'destination_ip_unroutable',
  ENETDOWN: 'destination_ip_unroutable',
  EHOSTDOWN: 'destination_ip_unroutable',
  UND_ERR_CONNECT_TIMEOUT: 'connection_timeout',
  EADDRNOTAVAIL: 'upstream_overflow',
  EMFILE: 'upstream_overflow',
  ENFILE: 'upstream_overflow',
  EPROTO: 'tls_protocol_error',
  CERT_HAS_EXPIRED: 'tls_certificate_error',
  CERT_NOT_YET_VALID: 'tls_certificate_error',
  CERT_REVOKED: 'tls_certificate_error',
  CERT_UNTRUSTED: 'tls_certificate_error',
  CERT_REJECTED: 'tls_certificate_error',
  CERT_SIGNATURE_FAILURE: 'tls_certificate_error',
  CERT_CHAIN_TOO_LONG: 'tls_certificate_error',
  INVALID_CA: 'tls_certificate_error',
  INVALID_PURPOSE: 'tls_certificate_error',
  HOSTNAME_MISMATCH: 'tls_certificate_error',
  ERR_TLS_CERT_ALTNAME_INVALID: 'tls_certificate_error',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'tls_certificate_error',
  SELF_SIGNED_CERT_IN_CHAIN: 'tls_certificate_error',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'tls_certificate_error',
  UNABLE_TO_GET_ISSUER_CERT: 'tls_certificate_error',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'tls_certificate_error',
  UND_ERR_SOCKET: 'connection_terminated',
  ECONNRESET: 'connection_terminated',
  EPIPE: 'connection_terminated',
  ECONNABORTED: 'connection_terminated',
  UND_ERR_HEADERS_TIMEOUT: 'http_response_timeout',
  UND_ERR_BODY_TIMEOUT: 'connection_read_timeout',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'http_response_incomplete',
  UND_ERR_HEADERS_OVERFLOW: 'http_response_header_section_size',
  UND_ERR_INVALID_ARG: 'http_request_error',
  UND_ERR_REQ_CONTENT_LENGTH_MISMATCH: 'http_request_error',
  UND_ERR_NOT_SUPPORTED: 'http_request_error',
  UND_ERR_DESTROYED: 'shutting_down',
  UND_ERR_CLOSED: 'shutting_down'
}

/** Of a Unix socket that is not there, is none, is not ours to open, or whose queue is full: the same words as for a port that nobody listens on. */
const unopened: ReadonlySet<string> = new Set(['ENOENT', 'EACCES', 'EPERM', 'ENOTDIR', 'ENOTSOCK', 'ELOOP', 'EPROTOTYPE', 'EAGAIN'])

/**
 * What an error of undici, TLS or the system means here: the only place that knows their codes.
 * The phase decides where one code has two meanings.
 */
export function toProxyError (cause: unknown, phase: Phase): ProxyError {
  if (cause instanceof ProxyError) return cause
  return proxyError(nameOf(cause, phase), phase, cause)
}

function nameOf (cause: unknown, phase: Phase): ErrorName {
  if (!(cause instanceof Error)) return 'internal_error'
  // undici's parser errors have a code of the HPE_ family, or none at all (7.30).
  if (cause.name === 'HTTPParserError') return phase === 'responseBody' ? 'http_response_incomplete' : 'http_protocol_error'
  const code = codeOf(cause)
  if (phase === 'connect') {
    if (code === 'ETIMEDOUT') return 'connection_timeout'
    if (unopened.has(code)) return 'connection_refused'
    // Whoever resets a TCP connection that stands, before TLS is up, breaks off the handshake; nothing was sent.
    if (code === 'ECONNRESET' || code === 'UND_ERR_SOCKET' || code === 'EPIPE') return 'tls_protocol_error'
  }
  if (code.startsWith('ERR_SSL_')) return code.includes('ALERT') ? 'tls_alert_received' : 'tls_protocol_error'
  if (code.startsWith('HPE_')) return 'http_protocol_error'
  // Of a head that cannot be parsed, undici says this when it had read a length in it.
  if (code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH' && phase !== 'responseBody') return 'http_protocol_error'
  const name = byCode[code]
  if (name === undefined) return code === 'ETIMEDOUT' ? 'connection_terminated' : 'internal_error'
  if (name === 'connection_terminated') {
    // 'bad response' and 'bad upgrade': bytes that no request asked for, or a switch of protocols unasked.
    if (cause.message === 'bad response' || cause.message === 'bad upgrade') return 'http_protocol_error'
    if (phase === 'responseBody') return 'http_response_incomplete'
  }
  return name
}

/** Connecting to a name with several addresses fails with an AggregateError, whose parts tell why. */
function codeOf (cause: Error): string {
  const code = (cause as NodeJS.ErrnoException).code
  if (typeof code === 'string') return code
  if (cause instanceof AggregateError && cause.errors[0] instanceof Error) return codeOf(cause.errors[0])
  return ''
}

const InvalidOptionsError: FastifyErrorConstructor = createError('FST_SLUICE_CONFIG', '%s', 500, TypeError as unknown as ErrorConstructor)

/** A text of the options as a message may show it: a URL may hold a password, as may its query. Quotes and spaces may stand in a password, too. */
export function withoutSecrets (text: string): string {
  const at = text.lastIndexOf('@')
  if (at === -1 && !text.includes('?')) return text
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(text)?.[0] ?? ''
  const rest = at === -1 ? text.slice(scheme.length) : `***${text.slice(at)}`
  return scheme + (scheme === '' ? rest : rest.replace(/\?.*$/s, '?***'))
}

/** The second net, under messages that quote something else than one text. */
const userInformation = /\/\/[^\s/'"@]*:[^\s'"]*@/g

/** Everything that is wrong with the options, at once. */
export class ConfigError extends InvalidOptionsError {
  readonly problems: readonly Problem[]

  constructor (given: readonly Problem[]) {
    const problems = given.map(({ path, message }) => ({ path: path.replace(userInformation, '//***@'), message: message.replace(userInformation, '//***@') }))
    const lines = problems.map(({ path, message }) => `  ${path}: ${message}`)
    super(`fastify-sluice: ${problems.length} problem${problems.length === 1 ? '' : 's'} in the options\n${lines.join('\n')}`)
    this.problems = problems
  }
}
