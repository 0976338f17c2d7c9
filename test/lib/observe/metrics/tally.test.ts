import assert from 'node:assert/strict'
import test from 'node:test'
import { OVERFLOW, Tally } from '../../../../lib/observe/metrics/tally.ts'

test('keys are counted each by itself, in whatever order they come', () => {
  const tally = new Tally(100)
  for (const key of [7, 7, 0, 7, 1, 2, 3, 4, 5, 0]) tally.add(key)

  assert.deepEqual([...tally.entries()], [[7, 3], [0, 2], [1, 1], [2, 1], [3, 1], [4, 1], [5, 1]])
  assert.equal(tally.count(7), 3)
  assert.equal(tally.count(6), 0)
})

test('what is beyond the bound is counted together, and what is known goes on', () => {
  const tally = new Tally(2)
  for (const key of [1, 2, 3, 4, 3, 1]) tally.add(key)

  assert.deepEqual([...tally.entries()], [[1, 2], [2, 1], [OVERFLOW, 3]])
})
