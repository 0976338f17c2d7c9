import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UpstreamLoad } from '../../../lib/model/load.ts'

test('an upstream begins with nothing to do, and some retries in hand', () => {
  const { active, pending, retrying, credit } = new UpstreamLoad()
  assert.deepEqual({ active, pending, retrying }, { active: 0, pending: 0, retrying: 0 })
  assert.ok(credit > 0)
})
