import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Budget } from '../../../../lib/data-plane/retry/budget.ts'
import { UpstreamLoad } from '../../../../lib/model/load.ts'

function loadOf (fields: Partial<UpstreamLoad> = {}): UpstreamLoad {
  return Object.assign(new UpstreamLoad(), fields)
}

/** Every one of so many requests fails, 10 ms after the other, and its retry too: how many were retried. */
function wasted (requests: number, budget: Budget, load = loadOf()): number {
  let retries = 0
  for (let n = 0; n < requests; n++) {
    budget.earn(load)
    if (budget.take(load, false, n * 10)) retries++
  }
  return retries
}

test('an upstream of which all fails has 1.2 times the requests and no more', () => {
  for (const requests of [1000, 5000, 50_000]) assert.ok(wasted(requests, new Budget(0.2, 3)) <= requests * 0.2, `${requests}`)
  // And not much less.
  assert.ok(wasted(5000, new Budget(0.2, 3)) > 5000 * 0.15)
})

test('that holds after any time in which all was well', () => {
  const load = loadOf()
  const budget = new Budget(0.2, 3)
  for (let n = 0; n < 100_000; n++) budget.earn(load)
  assert.ok(wasted(1000, budget, load) <= 200)
})

test('retries at one time are a share of what is under way and waits, or a few', () => {
  const budget = new Budget(0.2, 3)
  const table: readonly (readonly [retrying: number, active: number, pending: number, allowed: boolean])[] = [
    [0, 0, 0, true], [2, 0, 0, true], [3, 0, 0, false], [3, 15, 0, false], [3, 20, 0, true], [3, 10, 10, true], [19, 100, 0, true], [20, 100, 0, false]
  ]
  for (const [retrying, active, pending, allowed] of table) assert.equal(budget.take(loadOf({ retrying, active, pending }), false, 0), allowed, `${retrying} of ${active} + ${pending}`)
})

test('a retry that brings an answer costs nothing in the end', () => {
  const budget = new Budget(0.2, 3)
  const load = loadOf()
  for (let n = 0; n < 10_000; n++) {
    assert.ok(budget.take(load, false, 0))
    budget.giveBack(load)
  }
})

test('while another endpoint is well, whatever fails at once with one of them is retried', () => {
  const budget = new Budget(0.2, 3)
  const load = loadOf({ active: 100 })
  for (let n = 0; n < 100; n++) {
    assert.ok(budget.take(load, true, 0), `${n}`)
    load.retrying++
  }
  // But not without end.
  let more = 0
  while (budget.take(load, true, 0)) more++
  assert.ok(more <= 20)
})

test('a budget of nothing allows nothing', () => {
  const budget = new Budget(0, 0)
  for (const hasOther of [true, false]) assert.equal(budget.take(loadOf({ active: 1000 }), hasOther, 0), false)
})

test('with a minimum, a quiet upstream has one retry a second at least', () => {
  const budget = new Budget(0, 1)
  const load = loadOf()
  while (budget.take(load, false, 0)) { /* all that is there */ }
  assert.equal(budget.take(load, false, 500), false)
  assert.equal(budget.take(load, false, 1100), true)
})
