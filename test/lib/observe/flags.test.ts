import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ErrorName, proxyError } from '../../../lib/errors.ts'
import { flagsOf } from '../../../lib/observe/flags.ts'

test('says nothing where nothing failed', () => {
  assert.equal(flagsOf(null, 3), '')
})

const letters: Partial<Record<ErrorName, string>> = {
  config_error: 'NC',
  no_healthy_upstream: 'UH',
  upstream_overflow: 'UO',
  queue_timeout: 'UO',
  dns_error: 'DF',
  dns_timeout: 'DF',
  connection_refused: 'UF',
  connection_timeout: 'UF',
  tls_certificate_error: 'UF',
  connection_terminated: 'UC',
  http_response_timeout: 'UT',
  request_timeout: 'DT',
  connection_read_timeout: 'SI',
  http_response_incomplete: 'UC',
  http_protocol_error: 'UPE',
  http_response_content_coding: 'UPE',
  circuit_open: 'UO',
  http_request_error: 'IH',
  content_too_large: 'IH',
  client_body_error: 'DPE',
  client_body_timeout: 'DPE',
  client_write_timeout: 'DC',
  client_closed_request: 'DC',
  shutting_down: 'LR',
  // Envoy knows nothing like it.
  internal_error: '',
  proxy_loop_detected: ''
}

for (const [name, flag] of Object.entries(letters)) {
  test(`${name} is '${flag}'`, () => { assert.equal(flagsOf(proxyError(name as ErrorName, 'select'), 1), flag) })
}

test('says where trying again did not help', () => {
  assert.equal(flagsOf(proxyError('connection_refused', 'connect'), 1), 'UF')
  assert.equal(flagsOf(proxyError('connection_refused', 'connect'), 2), 'UF,URX')
  assert.equal(flagsOf(proxyError('internal_error', 'connect'), 2), 'URX')
  assert.equal(flagsOf(proxyError('client_closed_request', 'connect'), 2), 'DC')
})
