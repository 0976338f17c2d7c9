import assert from 'node:assert/strict'
import { test } from 'node:test'
import { grpcStatus, isGrpc, parseTimeout } from '../../../lib/data-plane/grpc.ts'
import { type ErrorName, proxyError } from '../../../lib/errors.ts'

for (const [type, expected] of [
  ['application/grpc', true], ['application/grpc+proto', true], ['application/grpc;charset=utf-8', true],
  ['application/grpc-web', false], ['application/grpc-web+proto', false], ['application/json', false], [undefined, false]
] as const) {
  test(`${type ?? 'no content type'} is ${expected ? '' : 'not '}gRPC`, () => {
    assert.equal(isGrpc({ 'content-type': type }), expected)
  })
}

for (const [value, expected] of [
  ['1H', 3_600_000], ['2M', 120_000], ['3S', 3000], ['250m', 250], ['1000u', 1], ['1000000n', 1], ['0S', 0], ['99999999H', 99999999 * 3_600_000],
  ['100000000S', null], ['1', null], ['S', null], ['-1S', null], ['1.5S', null], ['', null], [undefined, null]
] as const) {
  test(`grpc-timeout ${JSON.stringify(value)} is ${expected === null ? 'none' : `${expected} ms`}`, () => {
    const timeout = parseTimeout(value)
    assert.equal(timeout === null ? null : Math.round(timeout), expected)
  })
}

const statuses: [ErrorName, number][] = [
  ['http_request_error', 13], ['content_too_large', 8], ['client_body_timeout', 4], ['client_closed_request', 1], ['no_healthy_upstream', 14],
  ['queue_timeout', 14], ['connection_refused', 14], ['dns_timeout', 14], ['connection_timeout', 14], ['connection_terminated', 14],
  ['http_response_timeout', 4], ['request_timeout', 4], ['shutting_down', 14], ['internal_error', 13]
]
for (const [name, status] of statuses) {
  test(`${name} is status ${status} of gRPC`, () => {
    assert.equal(grpcStatus(proxyError(name, 'select')), status)
  })
}
