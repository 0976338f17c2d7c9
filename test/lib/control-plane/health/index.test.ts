import assert from 'node:assert/strict'
import { test } from 'node:test'
import { faultOf, type HealthConfig } from '../../../../lib/control-plane/health/index.ts'
import { health } from '../rig.ts'

// status option, latency limit, status, latency, fault
const rows: [HealthConfig['status'], number | undefined, number, number, string | null][] = [
  [undefined, undefined, 200, 9000, null],
  [undefined, undefined, 204, 1, null],
  [undefined, undefined, 199, 1, 'status 199'],
  [undefined, undefined, 301, 1, 'status 301'],
  [undefined, undefined, 302, 1, 'status 302'],
  [undefined, undefined, 303, 1, 'status 303'],
  [undefined, undefined, 307, 1, 'status 307'],
  [undefined, undefined, 308, 1, 'status 308'],
  [undefined, undefined, 304, 1, null],
  [undefined, undefined, 399, 1, null],
  [undefined, undefined, 400, 1, 'status 400'],
  [undefined, undefined, 404, 1, 'status 404'],
  [undefined, undefined, 500, 1, 'status 500'],
  [[200, 404], undefined, 404, 1, null],
  [[200, 404], undefined, 204, 1, 'status 204'],
  [[302], undefined, 302, 1, null],
  [(status) => status < 500, undefined, 404, 1, null],
  [(status) => status < 500, undefined, 503, 1, 'status 503'],
  [undefined, 100, 200, 100, null],
  [undefined, 100, 200, 101, 'too slow'],
  [undefined, 100, 500, 101, 'status 500']
]

for (const [status, maxLatency, statusCode, latency, fault] of rows) {
  test(`a check answered ${statusCode} in ${latency} ms ${fault === null ? 'passes' : `fails with '${fault}'`} where ${Array.isArray(status) ? status.join(', ') : typeof status} and ${maxLatency} ms are asked for`, () => {
    assert.equal(faultOf({ statusCode, latency }, { ...health, ...(status !== undefined && { status }), ...(maxLatency !== undefined && { maxLatency }) }), fault)
  })
}
