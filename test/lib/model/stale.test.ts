import assert from 'node:assert/strict'
import { test } from 'node:test'
import { wasClosedMeanwhile } from '../../../lib/model/stale.ts'
import { proxyError } from '../../../lib/errors.ts'
import type { Attempt } from '../../../types/model.ts'
import { attemptOf, exchangeWith } from '../samples.ts'

const stale: Partial<Attempt> = { reused: true, idleTime: 500, sentAt: 10, endedAt: 1010, error: proxyError('connection_terminated', 'responseHeaders') }

const rows: readonly (readonly [what: string, fields: Partial<Attempt>, expected: boolean])[] = [
  ['a connection that was idle and breaks at once', {}, true],
  ['a new connection', { reused: false }, false],
  ['a connection that carried a request just before', { idleTime: 499 }, false],
  ['a connection that breaks after a while', { endedAt: 1011 }, false],
  ['a connection that breaks behind a head', { headAt: 20 }, false],
  ['another failure', { error: proxyError('http_response_timeout', 'responseHeaders') }, false],
  ['no failure', { error: null }, false]
]
for (const [what, fields, expected] of rows) {
  test(`${what} was ${expected ? '' : 'not '}closed meanwhile`, () => {
    assert.equal(wasClosedMeanwhile(attemptOf(exchangeWith(), { ...stale, ...fields })), expected)
  })
}
