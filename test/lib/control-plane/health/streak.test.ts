import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Streak } from '../../../../lib/control-plane/health/streak.ts'
import type { Endpoint } from '../../../../types/model.ts'

// + passes, - fails; below, what it is after each: ? unknown, h healthy, u unhealthy; upper case where more is needed to decide.
const rows: [rise: number, fall: number, results: string, states: string][] = [
  [2, 3, '+', 'h'],
  [2, 3, '-', '?'],
  [2, 3, '---', '??u'],
  [2, 3, '--+', '??h'],
  [2, 3, '+---', 'hHHu'],
  [2, 3, '+--+---', 'hHHhHHu'],
  [2, 3, '---++', '??uUh'],
  [2, 3, '---+-++', '??uUuUh'],
  [1, 1, '-+-', 'uhu'],
  [3, 1, '-+++', 'uUUh']
]

for (const [rise, fall, results, states] of rows) {
  test(`with rise ${rise} and fall ${fall}, ${results} makes ${states}`, () => {
    const streak = new Streak(rise, fall)
    let health: Endpoint['health'] = 'unknown'
    const seen = Array.from(results, (result) => {
      health = streak.add(health, result === '+')
      const letter = health === 'unknown' ? '?' : health[0]!
      return streak.isUndecided ? letter.toUpperCase() : letter
    })
    assert.equal(seen.join(''), states)
  })
}
