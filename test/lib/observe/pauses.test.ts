import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Spells, unwatchPauses, watchPauses } from '../../../lib/observe/pauses.ts'

test('counts of each spell what lies between two moments', () => {
  const spells = new Spells()
  spells.add(100, 110)
  spells.add(200, 230)
  assert.equal(spells.within(0, 99), 0)
  assert.equal(spells.within(105, 108), 3)
  assert.equal(spells.within(90, 105), 5)
  assert.equal(spells.within(0, 300), 40)
  assert.equal(spells.within(110, 200), 0)
})

test('forgets the oldest', () => {
  const spells = new Spells()
  for (let index = 0; index < 1025; index++) spells.add(index * 10, index * 10 + 1)
  assert.equal(spells.within(0, 9), 0)
  assert.equal(spells.within(10, 20_000), 1024)
})

test('a loop that did not turn is a stall, at the time when it did not; a collection is a collection', async () => {
  let turns = 0
  const onTurn = (): void => { turns++ }
  const pauses = watchPauses(onTurn)
  assert.equal(watchPauses(onTurn), pauses, 'once, however many watch')
  // It keeps no process alive, so this has to.
  while (turns === 0) await sleep(20)
  const from = performance.now()
  while (performance.now() < from + 120);
  const to = performance.now()
  const seen = turns
  while (turns === seen) await sleep(20)

  const stalled = pauses.stalls.within(from, to)
  assert.ok(stalled >= 90 && stalled <= to - from + 0.001, `${stalled} ms`)

  const before = performance.now()
  let garbage: object[] = []
  while (pauses.collections.within(before, performance.now()) === 0) {
    assert.ok(performance.now() < before + 10_000, 'no collection in 10 s')
    for (let index = 0; index < 100_000; index++) garbage.push({ index })
    garbage = []
    await sleep(1)
  }
  unwatchPauses(onTurn)
})

test('whoever never watched may stop watching', () => {
  unwatchPauses(() => {})
})
