import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nextTurn, PoolSeats } from '../../../lib/model/seats.ts'

test('is full once as many are taken as there are connections', () => {
  const seats = new PoolSeats(2)
  seats.take()
  assert.equal(seats.isFull, false)
  seats.take()
  assert.equal(seats.isFull, true)
})

test('a seat that was left is free with the next turn of the event loop, as its connection is', () => {
  const seats = new PoolSeats(1)
  nextTurn()
  seats.take()
  seats.leave()
  assert.equal(seats.isFull, true)
  nextTurn()
  assert.equal(seats.isFull, false)
  assert.equal(seats.taken, 0)
})

test('are not spent while one of them is about to be free', () => {
  const seats = new PoolSeats(1)
  nextTurn()
  seats.take()
  assert.equal(seats.isSpent, true)
  seats.leave()
  assert.deepEqual([seats.isFull, seats.isSpent], [true, false])
})

test('seats left in different turns are all free in the end', () => {
  const seats = new PoolSeats(2)
  seats.take()
  seats.take()
  seats.leave()
  nextTurn()
  seats.leave()
  assert.equal(seats.taken, 1)
  seats.settle()
  assert.equal(seats.taken, 0)
})
