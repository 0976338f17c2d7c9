import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigError, errorNames, ProxyError, proxyError, toProxyError, type ErrorName, withoutSecrets } from '../../lib/errors.ts'
import type { Phase } from '../../types/model.ts'

type Row = readonly [status: number, side: ProxyError['side'], sent: boolean, proxyStatus: string | null]

// Status and Proxy-Status word of each failure: RFC 9209, and Envoy's flags where it says nothing.
const rows: Record<ErrorName, Row> = {
  config_error: [500, 'proxy', false, 'proxy_configuration_error'],
  no_healthy_upstream: [503, 'proxy', false, 'destination_unavailable'],
  circuit_open: [503, 'proxy', false, 'destination_unavailable'],
  upstream_overflow: [503, 'proxy', false, 'connection_limit_reached'],
  queue_timeout: [503, 'proxy', false, 'connection_limit_reached'],
  dns_error: [502, 'upstream', false, 'dns_error'],
  dns_timeout: [504, 'upstream', false, 'dns_timeout'],
  connection_refused: [502, 'upstream', false, 'connection_refused'],
  destination_ip_unroutable: [502, 'upstream', false, 'destination_ip_unroutable'],
  connection_timeout: [504, 'upstream', false, 'connection_timeout'],
  tls_certificate_error: [502, 'upstream', false, 'tls_certificate_error'],
  tls_protocol_error: [502, 'upstream', false, 'tls_protocol_error'],
  tls_alert_received: [502, 'upstream', false, 'tls_alert_received'],
  connection_terminated: [502, 'upstream', true, 'connection_terminated'],
  request_refused: [502, 'upstream', false, 'connection_terminated'],
  tunnel_broken: [502, 'upstream', false, 'http_protocol_error'],
  http_response_timeout: [504, 'upstream', true, 'http_response_timeout'],
  request_timeout: [504, 'proxy', true, 'http_response_timeout'],
  connection_read_timeout: [504, 'upstream', true, 'connection_read_timeout'],
  http_response_incomplete: [502, 'upstream', true, 'http_response_incomplete'],
  http_protocol_error: [502, 'upstream', true, 'http_protocol_error'],
  http_response_header_section_size: [502, 'upstream', true, 'http_response_header_section_size'],
  http_response_body_size: [502, 'upstream', true, 'http_response_body_size'],
  http_response_content_coding: [502, 'upstream', true, 'http_response_content_coding'],
  http_request_error: [400, 'client', false, 'http_request_error'],
  unknown_transfer_coding: [501, 'client', false, 'http_request_error'],
  misdirected_request: [421, 'client', false, 'http_request_error'],
  http_upgrade_failed: [502, 'upstream', true, 'http_upgrade_failed'],
  http_request_denied: [403, 'client', false, 'http_request_denied'],
  upgrade_required: [426, 'client', false, 'http_request_error'],
  content_too_large: [413, 'client', true, 'http_request_error'],
  client_body_error: [400, 'client', true, 'http_request_error'],
  client_body_timeout: [408, 'client', true, 'http_request_error'],
  client_write_timeout: [499, 'client', true, null],
  client_closed_request: [499, 'client', true, null],
  proxy_loop_detected: [502, 'proxy', false, 'proxy_loop_detected'],
  shutting_down: [503, 'proxy', false, 'proxy_internal_response'],
  internal_error: [500, 'proxy', false, 'proxy_internal_error']
}

/** Rows of another status that share a word with the row that the word is named after. */
const words: Partial<Record<ErrorName, ErrorName>> = {
  request_refused: 'connection_terminated',
  tunnel_broken: 'http_protocol_error',
  content_too_large: 'http_request_error',
  unknown_transfer_coding: 'http_request_error',
  upgrade_required: 'http_request_error',
  misdirected_request: 'http_request_error',
  client_body_timeout: 'client_body_error'
}

test('has a row for every failure, and no other', () => {
  assert.deepEqual([...errorNames].sort(), Object.keys(rows).sort())
})

for (const name of errorNames) {
  test(`gives ${name} its status, side and words`, () => {
    const [status, side, sent, proxyStatus] = rows[name]
    const word = words[name] ?? name

    const error = proxyError(name, 'connect')

    assert.ok(error instanceof ProxyError && error instanceof Error)
    assert.deepEqual(
      [error.statusCode, error.side, error.sent, error.proxyStatus, error.error, error.code, error.phase, error.retryAfter],
      [status, side, sent, proxyStatus, word, `FST_SLUICE_${word.toUpperCase()}`, 'connect', name === 'upstream_overflow' || name === 'circuit_open' || name === 'queue_timeout' ? 1 : 0]
    )
  })
}

test('keeps the cause for the log and out of the message', () => {
  const cause = Object.assign(new Error('connect ECONNREFUSED 10.0.0.1:3000'), { code: 'ECONNREFUSED' })
  const error = toProxyError(cause, 'connect')
  assert.equal(error.cause, cause)
  assert.equal(error.message, 'the upstream refused the connection')
  assert.equal('cause' in proxyError('connection_refused', 'connect'), false)
})

test('passes an error of its own on as it is', () => {
  const error = proxyError('request_timeout', 'responseHeaders')
  assert.equal(toProxyError(error, 'connect'), error)
})

const anywhere: readonly (readonly [code: string, word: ErrorName])[] = [
  ...['ENOTFOUND', 'ENODATA', 'EAI_FAIL', 'EAI_NONAME', 'EAI_NODATA'].map((code) => [code, 'dns_error'] as const),
  ...['EAI_AGAIN', 'ETIMEOUT'].map((code) => [code, 'dns_timeout'] as const),
  ['ECONNREFUSED', 'connection_refused'],
  ...['EHOSTUNREACH', 'ENETUNREACH', 'ENETDOWN', 'EHOSTDOWN'].map((code) => [code, 'destination_ip_unroutable'] as const),
  ['UND_ERR_CONNECT_TIMEOUT', 'connection_timeout'],
  ...['EADDRNOTAVAIL', 'EMFILE', 'ENFILE'].map((code) => [code, 'upstream_overflow'] as const),
  ...[
    'CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID', 'CERT_REVOKED', 'CERT_UNTRUSTED', 'CERT_REJECTED', 'CERT_SIGNATURE_FAILURE',
    'CERT_CHAIN_TOO_LONG', 'INVALID_CA', 'INVALID_PURPOSE', 'HOSTNAME_MISMATCH', 'ERR_TLS_CERT_ALTNAME_INVALID',
    'DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'UNABLE_TO_GET_ISSUER_CERT',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY'
  ].map((code) => [code, 'tls_certificate_error'] as const),
  ...['EPROTO', 'ERR_SSL_WRONG_VERSION_NUMBER'].map((code) => [code, 'tls_protocol_error'] as const),
  ...['ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR', 'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE'].map((code) => [code, 'tls_alert_received'] as const),
  ['UND_ERR_HEADERS_TIMEOUT', 'http_response_timeout'],
  ['UND_ERR_BODY_TIMEOUT', 'connection_read_timeout'],
  ['UND_ERR_HEADERS_OVERFLOW', 'http_response_header_section_size'],
  ...['HPE_INVALID_CONSTANT', 'HPE_INVALID_HEADER_TOKEN'].map((code) => [code, 'http_protocol_error'] as const),
  ...['UND_ERR_INVALID_ARG', 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH', 'UND_ERR_NOT_SUPPORTED'].map((code) => [code, 'http_request_error'] as const),
  ...['UND_ERR_DESTROYED', 'UND_ERR_CLOSED'].map((code) => [code, 'shutting_down'] as const),
  ...['ERR_SOMETHING_NEW', ''].map((code) => [code, 'internal_error'] as const)
]

for (const [code, word] of anywhere) {
  test(`calls ${code === '' ? 'an error without a code' : code} ${word} wherever it happens`, () => {
    const phases: Phase[] = ['select', 'connect', 'requestHeaders', 'requestBody', 'responseHeaders', 'responseBody']
    for (const phase of phases) {
      const error = toProxyError(Object.assign(new Error('x'), code === '' ? {} : { code }), phase)
      assert.equal(error.error, word, phase)
      assert.equal(error.phase, phase)
    }
  })
}

const byPhase: readonly (readonly [code: string, phase: Phase, word: ErrorName])[] = [
  ...['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE', 'ECONNABORTED'].flatMap((code) => [
    [code, 'requestBody', 'connection_terminated'],
    [code, 'responseHeaders', 'connection_terminated'],
    [code, 'responseBody', 'http_response_incomplete']
  ] as const),
  // TCP stands, TLS does not yet: nothing has been sent.
  ...['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'].map((code) => [code, 'connect', 'tls_protocol_error'] as const),
  // Of a head that cannot be parsed, undici says this when it had read a length in it.
  ['UND_ERR_RES_CONTENT_LENGTH_MISMATCH', 'responseHeaders', 'http_protocol_error'],
  ['UND_ERR_RES_CONTENT_LENGTH_MISMATCH', 'responseBody', 'http_response_incomplete'],
  // Of a Unix socket.
  ...['ENOENT', 'EACCES', 'EPERM', 'ENOTDIR', 'ENOTSOCK', 'ELOOP', 'EPROTOTYPE', 'EAGAIN'].flatMap((code) => [
    [code, 'connect', 'connection_refused'],
    [code, 'responseHeaders', 'internal_error']
  ] as const),
  ['ETIMEDOUT', 'connect', 'connection_timeout'],
  ['ETIMEDOUT', 'responseHeaders', 'connection_terminated']
]

for (const [code, phase, word] of byPhase) {
  test(`calls ${code} in the phase ${phase} ${word}`, () => {
    assert.equal(toProxyError(Object.assign(new Error('x'), { code }), phase).error, word)
  })
}

test('calls bytes that no request asked for a protocol error, and not a closed connection', () => {
  for (const message of ['bad response', 'bad upgrade']) {
    const cause = Object.assign(new Error(message), { code: 'UND_ERR_SOCKET' })
    for (const phase of ['responseHeaders', 'responseBody'] as const) assert.equal(toProxyError(cause, phase).error, 'http_protocol_error')
  }
})

test('calls what the parser refuses a protocol error before the head is there, and a broken-off response behind it', () => {
  const cause = Object.assign(new Error('Response does not match the HTTP/1.1 protocol'), { name: 'HTTPParserError' })
  assert.equal(toProxyError(cause, 'responseHeaders').error, 'http_protocol_error')
  assert.equal(toProxyError(cause, 'responseBody').error, 'http_response_incomplete')
})

test('tells from the first of several addresses why connecting to a name failed', () => {
  const refused = Object.assign(new Error('x'), { code: 'ECONNREFUSED' })
  assert.equal(toProxyError(new AggregateError([refused]), 'connect').error, 'connection_refused')
  assert.equal(toProxyError(Object.assign(new AggregateError([refused]), { code: 'EHOSTUNREACH' }), 'connect').error, 'destination_ip_unroutable')
  assert.equal(toProxyError(new AggregateError([]), 'connect').error, 'internal_error')
})

test('calls what is not even an error an internal error', () => {
  for (const thrown of ['text', null, undefined, { code: 'ECONNREFUSED' }]) {
    assert.equal(toProxyError(thrown, 'select').error, 'internal_error')
  }
})

test('lists every problem of the options on a line of its own', () => {
  const problems = [{ path: 'routes[0].url', message: 'is required' }, { path: 'via', message: "must be a token, not '100 %s'" }]

  const error = new ConfigError(problems)

  assert.ok(error instanceof TypeError)
  assert.equal(error.code, 'FST_SLUICE_CONFIG')
  assert.equal(error.statusCode, 500)
  assert.equal(error.message, "fastify-sluice: 2 problems in the options\n  routes[0].url: is required\n  via: must be a token, not '100 %s'")
  assert.deepEqual(error.problems, problems)
  assert.match(new ConfigError([problems[0]!]).message, /^fastify-sluice: 1 problem in the options\n/)
})

const texts: readonly (readonly [text: string, shown: string])[] = [
  ['http://svc:hunter2@10.0.0.1:3000', 'http://***@10.0.0.1:3000'],
  ['http://svc:p@ss/w@rd "x\'@10.0.0.1', 'http://***@10.0.0.1'],
  ['svc:hunter2@10.0.0.1', '***@10.0.0.1'],
  ['https://10.0.0.1/?key=hunter2', 'https://10.0.0.1/?***'],
  ['https://svc:hunter2@10.0.0.1/?key=hunter2', 'https://***@10.0.0.1/?***'],
  ['redis+x://:hunter2@10.0.0.1', 'redis+x://***@10.0.0.1'],
  ['http://10.0.0.1:3000', 'http://10.0.0.1:3000'],
  ['/a?b', '/a?b'],
  ['orders', 'orders']
]
for (const [text, shown] of texts) {
  test(`shows ${text} as ${shown}`, () => { assert.equal(withoutSecrets(text), shown) })
}

test('the problems of a ConfigError have no password, wherever it stands', () => {
  const { problems, message } = new ConfigError([{ path: 'upstreams["http://svc:hunter2@a"]', message: "one of 'http://a:hunter2@b' and 'http://a:hunter2@c'" }])
  assert.deepEqual(problems, [{ path: 'upstreams["http://***@a"]', message: "one of 'http://***@b' and 'http://***@c'" }])
  assert.ok(!message.includes('hunter2'))
})
