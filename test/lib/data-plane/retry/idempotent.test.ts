import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isIdempotent } from '../../../../lib/data-plane/retry/idempotent.ts'

for (const method of ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY', 'PUT', 'DELETE']) {
  test(`holds ${method} to be idempotent`, () => assert.equal(isIdempotent(method), true))
}

for (const method of ['POST', 'PATCH', 'CONNECT', 'LOCK', 'PROPFIND', 'get', '']) {
  test(`does not hold '${method}' to be idempotent`, () => assert.equal(isIdempotent(method), false))
}
