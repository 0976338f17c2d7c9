import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Backoff, readRetryAfter } from '../../../../lib/data-plane/retry/backoff.ts'

const most = 1 - Number.EPSILON

test('waits any time from nothing to more than was waited before, and to a bound', () => {
  const bounds = [1, 2, 3, 4, 5, 20].map((retry) => new Backoff(25, 250, () => most).delay(retry, undefined))
  assert.deepEqual(bounds.map(Math.round), [25, 75, 175, 250, 250, 250])
  assert.equal(new Backoff(25, 250, () => 0).delay(3, undefined), 0)
})

test('waits as long as the answer says, and up to half of that more', () => {
  assert.equal(new Backoff(25, 250, () => 0).delay(1, '1'), 1000)
  assert.equal(Math.round(new Backoff(25, 250, () => most).delay(1, '2')), 3000)
})

const hostile = ['6', '3600', '9999999999', '99999999999999999999', '-1', '1e9', '1.5', 'soon', '', ' ', '0x10', 'Infinity', 'NaN', '0', '000', 'Fri, 31 Dec 9999 23:59:59 GMT',
  'Thu, 01 Jan 1970 00:00:00 GMT', '31 Dec 9999', 'x'.repeat(100_000), ['1', '2']]

for (const value of hostile) {
  test(`waits no longer than without it for Retry-After: ${String(value).slice(0, 40)}${Array.isArray(value) ? ' (two of them)' : ''}`, () => {
    assert.ok(new Backoff(25, 250, () => most).delay(1, value) <= 25)
  })
}

test('reads a date as well as seconds', () => {
  const now = Date.parse('Sat, 21 Nov 2026 10:00:00 GMT')
  assert.equal(readRetryAfter('Sat, 21 Nov 2026 10:00:03 GMT', now), 3000)
  assert.equal(readRetryAfter(' 3 ', now), 3000)
})
