import type { Dispatcher } from 'undici'
import type { Seats } from '../../../types/model.ts'
import { PoolSeats } from '../../model/seats.ts'

const seats = new WeakMap<Dispatcher, Seats>()

/** Endpoints that share a pool share its seats, whichever upstream they belong to. */
export function seatsOf (pool: Dispatcher, connections: number): Seats {
  let present = seats.get(pool)
  if (present === undefined) {
    present = new PoolSeats(connections)
    seats.set(pool, present)
  }
  return present
}
