import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectOrStale } from '../../../../lib/data-plane/retry/index.ts'
import { errorNames, proxyError, type ErrorName } from '../../../../lib/errors.ts'
import type { Attempt, Phase } from '../../../../types/model.ts'
import { attemptOf, exchangeWith } from '../../samples.ts'

interface Failed extends Partial<Attempt> {
  name?: ErrorName
  phase?: Phase
  method?: string
  isReplayable?: boolean
}

/** Whether an attempt that failed so is made once more; and if so, at once. */
function isRetried ({ name = 'connection_terminated', phase = 'responseHeaders', method = 'GET', isReplayable = true, ...fields }: Failed): boolean {
  const exchange = Object.assign(exchangeWith(), { method, isReplayable })
  const delay = connectOrStale.next(attemptOf(exchange, { error: proxyError(name, phase), ...fields }))
  assert.ok(delay === null || delay === 0)
  return delay === 0
}

const connectFailures: readonly ErrorName[] = [
  'dns_error', 'dns_timeout', 'connection_refused', 'destination_ip_unroutable', 'connection_timeout', 'tls_certificate_error',
  'tls_protocol_error', 'tls_alert_received'
]

for (const name of errorNames) {
  const isOne = connectFailures.includes(name)
  test(`${isOne ? 'tries again' : 'does not try again'} after ${name} while connecting, whatever the method`, () => {
    for (const method of ['GET', 'POST', 'PATCH']) assert.equal(isRetried({ name, phase: 'connect', method }), isOne)
  })
}

test('tries an idempotent request again when a connection that had worked before was closed without a word', () => {
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY', 'PUT', 'DELETE']) {
    for (const phase of ['requestBody', 'responseHeaders'] as const) assert.equal(isRetried({ reused: true, method, phase }), true)
  }
})

const never: readonly (readonly [what: string, failed: Failed])[] = [
  ['of a request that is not idempotent, on a reused connection', { reused: true, method: 'POST' }],
  ['on a new connection, which cannot have been closed for being idle', { reused: false }],
  ['once the head of the answer was there', { reused: true, headAt: 1 }],
  ['of a body that has been read', { reused: true, isReplayable: false }],
  ['of a body that has been read, though it failed while connecting', { name: 'connection_refused', phase: 'connect', isReplayable: false }],
  ['that was the second already, on a reused connection', { reused: true, number: 2 }],
  ['that was the second already, while connecting', { name: 'connection_refused', phase: 'connect', number: 2 }],
  ['that came to a good end', { error: null }],
  ['that the upstream took too long for', { name: 'http_response_timeout', reused: true }],
  ['whose answer was no HTTP', { name: 'http_protocol_error', reused: true }],
  ['that the client has left', { name: 'client_closed_request', phase: 'connect' }],
  ['whose connection was refused in another phase than connecting', { name: 'connection_refused', phase: 'select' }]
]

for (const [what, failed] of never) {
  test(`gives up after an attempt ${what}`, () => {
    assert.equal(isRetried(failed), false)
  })
}

test('goes by the method that is sent upstream, not by that of the client', () => {
  const exchange = exchangeWith({ method: 'GET' })
  const failed = attemptOf(exchange, { reused: true, error: proxyError('connection_terminated', 'responseHeaders') })
  assert.equal(connectOrStale.next(failed), 0)
  exchange.method = 'POST' // reply.proxy(…, { method: 'POST' })
  assert.equal(connectOrStale.next(failed), null)
})
