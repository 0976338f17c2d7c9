import assert from 'node:assert/strict'
import { heldUp, watchLoop } from '../helpers/fair.ts'

/** ms that a deadline may be late by. */
const TOLERANCE = 50
const TRIES = 8

/**
 * Never early; and on time in the best of a few tries, since a machine that is busy with other things makes any single one late, and
 * one that lets the event loop turn only now and then makes all of them late: by no more than the loop stood still meanwhile.
 * @param run measures one, in ms, from a moment that is not behind the one from which the deadline counts
 */
export async function assertOnTime (limit: number, run: () => Promise<number>): Promise<void> {
  const taken: string[] = []
  watchLoop()
  for (let tries = 0; tries < TRIES; tries++) {
    const ms = await run()
    assert.ok(ms >= limit, `${ms} ms is earlier than the ${limit} ms that were set`)
    const held = heldUp(performance.now() - ms)
    if (ms <= limit + TOLERANCE + held) return
    taken.push(`${ms} (held up for ${held})`)
  }
  assert.fail(`never within ${TOLERANCE} ms of ${limit} ms: ${taken.join(', ')}`)
}

/** How long it takes, and what comes of it. */
export async function timed<T> (run: () => Promise<T>): Promise<{ ms: number, result: T }> {
  const startedAt = performance.now()
  const result = await run()
  return { ms: performance.now() - startedAt, result }
}
