import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EndpointRecord } from '../../../../lib/control-plane/outlier/record.ts'
import { outlier } from '../rig.ts'

// w well, b broken, u unavailable; / turns a slice of the window. What the last gives.
const rows: [string, string | null][] = [
  ['bb', null],
  ['bbb', 'consecutive-failures'],
  ['uuu', 'consecutive-failures'],
  ['bub', 'consecutive-failures'],
  ['bbwb', null],
  // 3 consecutive are 3; the rate needs ten attempts, and half of them.
  ['wbwbwbwbwb', 'failure-rate'],
  ['wbwbwbwb', null],
  ['wuwuwuwuwuwu', null],
  ['wwwwwwwwwwbwb', null],
  // What is older than the window is forgotten.
  ['wwwwwwwwww//////wbwbwbwbwb', 'failure-rate'],
  ['bwbwbwbw//////wbwb', null]
]

for (const [attempts, expected] of rows) {
  test(`${attempts} gives ${expected ?? 'no reason to eject'}`, () => {
    const record = new EndpointRecord()
    let reason: string | null = null
    for (const attempt of attempts) {
      if (attempt === '/') record.turn()
      else reason = record.add(attempt === 'w' ? 'well' : attempt === 'b' ? 'broken' : 'unavailable', outlier)
    }
    assert.equal(reason, expected)
  })
}

test('after it is forgiven the first failure is enough, until one attempt goes well', () => {
  const record = new EndpointRecord()
  record.forgive()
  assert.equal(record.add('broken', outlier), 'consecutive-failures')
  record.forgive()
  record.add('well', outlier)
  assert.equal(record.add('broken', outlier), null)
})

test('a slice in which it did well makes the next ejection shorter, and one without attempts does not', () => {
  const record = new EndpointRecord()
  record.ejections = 2
  record.add('well', outlier)
  record.add('broken', outlier)
  record.turn()
  assert.equal(record.ejections, 2, 'it failed meanwhile')
  for (let slice = 0; slice < 20; slice++) record.turn()
  assert.equal(record.ejections, 2, 'nobody asked it')
  for (const left of [1, 0, 0]) {
    record.add('well', outlier)
    record.turn()
    assert.equal(record.ejections, left)
  }
})

test('there is nothing left to turn once the window holds no attempts', () => {
  const record = new EndpointRecord()
  record.ejections = 2
  record.add('well', outlier)
  let turns = 1
  while (record.turn()) turns++
  assert.equal(turns, 6)
})
