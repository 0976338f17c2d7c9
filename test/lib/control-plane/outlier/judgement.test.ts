import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judge } from '../../../../lib/control-plane/outlier/judgement.ts'
import { proxyError } from '../../../../lib/errors.ts'
import type { Attempt } from '../../../../types/model.ts'
import { attemptOf, exchangeWith } from '../../samples.ts'

const exchange = exchangeWith()
type Failure = Parameters<typeof proxyError>

for (const [status, expected] of [[200, 'well'], [404, 'well'], [429, 'well'], [500, 'well'], [501, 'well'], [502, 'unavailable'], [503, 'unavailable'], [504, 'unavailable'], [505, 'well']] as const) {
  test(`an answer ${status} is judged ${expected}`, () => {
    assert.equal(judge(attemptOf(exchange, { statusCode: status })), expected)
  })
}

const failures: [...Failure, expected: string | null][] = [
  ['connection_refused', 'connect', undefined, 'refused'],
  ['connection_timeout', 'connect', undefined, 'refused'],
  ['dns_error', 'connect', undefined, 'refused'],
  ['tls_certificate_error', 'connect', undefined, 'refused'],
  ['connection_terminated', 'responseHeaders', undefined, 'broken'],
  ['http_response_timeout', 'responseHeaders', undefined, 'broken'],
  ['connection_read_timeout', 'responseBody', undefined, 'broken'],
  ['http_response_incomplete', 'responseBody', undefined, 'broken'],
  ['http_protocol_error', 'responseHeaders', undefined, 'broken'],
  ['http_response_header_section_size', 'responseHeaders', undefined, null],
  ['client_closed_request', 'responseBody', undefined, null],
  ['client_body_error', 'requestBody', undefined, null],
  ['client_write_timeout', 'responseBody', undefined, null],
  ['queue_timeout', 'connect', undefined, null],
  ['request_timeout', 'responseHeaders', undefined, null],
  ['upstream_overflow', 'select', undefined, null],
  ['internal_error', 'select', undefined, null]
] as unknown as [...Failure, string | null][]

for (const [name, phase, , expected] of failures) {
  test(`${name} is judged ${expected ?? 'nothing'}`, () => {
    assert.equal(judge(attemptOf(exchange, { error: proxyError(name!, phase as never) })), expected)
  })
}

const stale: [Partial<Attempt>, string | null][] = [
  [{ reused: true, idleTime: 500 }, null],
  [{ reused: true, idleTime: 499 }, 'broken'],
  [{ reused: true, idleTime: 3000, sentAt: 10, endedAt: 1010 }, null],
  [{ reused: true, idleTime: 3000, sentAt: 10, endedAt: 1011 }, 'broken'],
  [{ reused: false }, 'broken'],
  [{ reused: true, idleTime: 3000, headAt: 5 }, 'broken']
]

for (const [fields, expected] of stale) {
  test(`a connection that ended with ${JSON.stringify(fields)} is judged ${expected ?? 'nothing'}`, () => {
    assert.equal(judge(attemptOf(exchange, { error: proxyError('connection_terminated', 'responseHeaders'), ...fields })), expected)
  })
}
