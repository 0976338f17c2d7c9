import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorNames, proxyError } from '../../../lib/errors.ts'
import { flagsOf } from '../../../lib/observe/flags.ts'

test('says nothing where nothing failed', () => {
  assert.equal(flagsOf(null, 3), '')
})

test('has letters for every word but those that Envoy does not know', () => {
  const silent = new Set(errorNames.map((name) => proxyError(name, 'select')).filter((error) => flagsOf(error, 1) === '').map(({ error }) => error))
  assert.deepEqual([...silent].filter((word) => !['internal_error', 'proxy_loop_detected', 'http_response_body_size', 'http_upgrade_failed'].includes(word)), [])
})

test('says where trying again did not help', () => {
  assert.equal(flagsOf(proxyError('connection_refused', 'connect'), 1), 'UF')
  assert.equal(flagsOf(proxyError('connection_refused', 'connect'), 2), 'UF,URX')
  assert.equal(flagsOf(proxyError('internal_error', 'connect'), 2), 'URX')
  assert.equal(flagsOf(proxyError('client_closed_request', 'connect'), 2), 'DC')
})
