import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRetry, findRetryFault, type RetryConfig } from '../../../../lib/data-plane/retry/index.ts'
import { errorNames, proxyError, type ErrorName } from '../../../../lib/errors.ts'
import type { Attempt, Phase } from '../../../../types/model.ts'
import { attemptOf, exchangeWith, still } from '../../samples.ts'

const config: RetryConfig = { attempts: 1, on: ['connect', 'stale'], budget: { share: 0.2, minimum: 3 }, backoff: { base: 25, max: 250 } }

function policyOf (fields: Partial<RetryConfig> = {}) {
  return createRetry({ ...config, ...fields }, still())!
}

const connectOrStale = policyOf()

interface Failed extends Partial<Attempt> {
  name?: ErrorName
  phase?: Phase
  method?: string
  isReplayable?: boolean
}

/** Whether an attempt that failed so is made once more; and if so, at once. */
function isRetried ({ name = 'connection_terminated', phase = 'responseHeaders', method = 'GET', isReplayable = true, ...fields }: Failed): boolean {
  const exchange = Object.assign(exchangeWith(), { method, isReplayable })
  const delay = connectOrStale.next(attemptOf(exchange, { error: proxyError(name, phase), ...fields }), exchange.upstream)
  assert.ok(delay === null || delay === 0)
  exchange.upstream.load.credit = 20
  return delay === 0
}

const connectFailures: readonly ErrorName[] = [
  'dns_error', 'dns_timeout', 'connection_refused', 'destination_ip_unroutable', 'connection_timeout', 'tls_certificate_error',
  'tls_protocol_error', 'tls_alert_received',
  // The attempt's own timeout.
  'http_response_timeout', 'request_refused', 'tunnel_broken'
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
  ['that was the fifth already, on a reused connection', { reused: true, number: 5 }],
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
  assert.equal(connectOrStale.next(failed, exchange.upstream), 0)
  exchange.method = 'POST' // reply.proxy(…, { method: 'POST' })
  assert.equal(connectOrStale.next(failed, exchange.upstream), null)
})

test('is no policy where nothing would ever be tried again', () => {
  assert.equal(createRetry(false, still()), null)
  assert.equal(createRetry({ ...config, attempts: 0 }, still()), null)
  assert.equal(createRetry({ ...config, on: [] }, still()), null)
})

const failures: Record<string, Failed> = {
  connect: { name: 'connection_refused', phase: 'connect' },
  stale: { reused: true },
  reset: {},
  'reset by garbage': { name: 'http_protocol_error' },
  'reset within the body': { name: 'http_response_incomplete', phase: 'responseBody', headAt: 1 },
  timeout: { name: 'http_response_timeout' },
  'connect that timed out': { name: 'http_response_timeout', phase: 'connect' },
  status: { statusCode: 503, headAt: 1 }
}

/** Which failures lead to another attempt. */
function retried (fields: Partial<RetryConfig>, method = 'GET', key?: string): string[] {
  return Object.entries(failures).filter(([what, { name = 'connection_terminated', phase = 'responseHeaders', ...rest }]) => {
    const exchange = Object.assign(exchangeWith(), { method, outgoing: { headers: key === undefined ? {} : { 'idempotency-key': key } } })
    return policyOf(fields).next(attemptOf(exchange, { error: what === 'status' ? null : proxyError(name, phase), ...rest }), exchange.upstream) !== null
  }).map(([what]) => what)
}

const classes: readonly (readonly [on: RetryConfig['on'], which: string[]])[] = [
  [['connect'], ['connect', 'connect that timed out']],
  [['stale'], ['stale']],
  [['reset'], ['stale', 'reset', 'reset by garbage', 'reset within the body']],
  [['timeout'], ['timeout']],
  [[503], ['status']],
  [[500, 502], []]
]

for (const [on, which] of classes) {
  test(`on ${on.join(' and ')}, tries ${which.join(', ') || 'nothing'} again, and nothing else`, () => {
    assert.deepEqual(retried({ on }), which)
  })
}

const all: Partial<RetryConfig> = { on: ['connect', 'stale', 'reset', 'timeout', 503] }

test('what may have been acted upon is tried again only for methods that may be sent twice, or with a key', () => {
  const connects = ['connect', 'connect that timed out']
  assert.deepEqual(retried(all, 'POST'), connects)
  assert.deepEqual(retried(all, 'POST', ''), connects)
  assert.deepEqual(retried(all, 'POST', 'abc'), Object.keys(failures))
  assert.deepEqual(retried({ ...all, methods: ['post'] }, 'POST'), Object.keys(failures))
  assert.deepEqual(retried({ ...all, methods: ['POST'] }, 'GET'), connects)
})

test('keeps no body for a route that tries nothing again but connecting, nor for a method that is sent once', () => {
  const put = Object.assign(exchangeWith(), { method: 'PUT' })
  const post = Object.assign(exchangeWith(), { method: 'POST' })
  assert.equal(policyOf({ on: ['connect'] }).mayRepeat(put), false)
  assert.equal(policyOf().mayRepeat(put), true)
  assert.equal(policyOf().mayRepeat(post), false)
})

test('does not wait beyond the deadline of the exchange', () => {
  const exchange = Object.assign(exchangeWith(), { totalDue: 999 })
  const refused = attemptOf(exchange, { statusCode: 503, headAt: 1 })
  assert.equal(policyOf(all).next(refused, exchange.upstream, '1'), null)
  exchange.totalDue = 1001
  assert.equal(policyOf(all).next(refused, exchange.upstream, '1'), 1000)
})

test('says so when the budget is the reason', () => {
  const events: string[] = []
  const exchange = exchangeWith()
  exchange.upstream.state = { ...exchange.upstream.state, observers: [{ onEvent: ({ name, reason }) => { events.push(`${name} ${reason}`) } }] }
  Object.assign(exchange.upstream.load, { retrying: 3 })
  assert.equal(policyOf(all).next(attemptOf(exchange, { statusCode: 503, headAt: 1 }), exchange.upstream), null)
  assert.deepEqual(events, ['exhausted status'])
})

test('gives back what a good answer has cost, and nothing for one that is as bad', () => {
  const policy = policyOf(all)
  const exchange = exchangeWith()
  const { load } = exchange.upstream
  load.credit = 5
  policy.answered(attemptOf(exchange, { number: 2, statusCode: 503 }))
  policy.answered(attemptOf(exchange, { number: 1, statusCode: 200 }))
  assert.equal(load.credit, 5)
  policy.answered(attemptOf(exchange, { number: 2, statusCode: 200 }))
  assert.equal(load.credit, 6)
})

test('finds what cannot be meant', () => {
  assert.equal(findRetryFault(config, { head: 1, attempt: 0 }), null)
  assert.equal(findRetryFault({ ...config, backoff: { base: 300, max: 250 } }, { head: 1, attempt: 0 })?.key, 'backoff')
  assert.equal(findRetryFault({ ...config, on: ['timeout'] }, { head: 0, attempt: 0 })?.key, 'on')
  assert.equal(findRetryFault({ ...config, on: ['timeout'] }, { head: 0, attempt: 1 }), null)
})
