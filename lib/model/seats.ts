import type { Seats, Upstream } from '../../types/model.ts'

/** Counts turns of the event loop in which answers came. */
let turn = 0

/** Connections whose answers were complete in the turn before are free by now. */
export function nextTurn (): void {
  turn++
}

/**
 * How many of a pool's connections are in use. undici takes a connection for free only somewhat after its answer is complete: at the
 * end of that turn of the event loop. A request that came in between would go into undici's own queue, which has no bounds.
 */
export class PoolSeats implements Seats {
  readonly limit: number
  taken = 0
  waiting: Set<Upstream> | null = null
  /** Of those taken, how many are to be free with the next turn, and which turn it is now. */
  #leaving = 0
  #turn = 0

  constructor (limit: number) {
    this.limit = limit
  }

  get isFull (): boolean {
    if (this.taken < this.limit) return false
    if (this.#turn !== turn) this.settle()
    return this.taken >= this.limit
  }

  get isSpent (): boolean {
    return this.taken - this.#leaving >= this.limit
  }

  take (): void {
    this.taken++
  }

  leave (): void {
    if (this.#turn !== turn) {
      this.settle()
      this.#turn = turn
    }
    this.#leaving++
  }

  settle (): void {
    this.taken -= this.#leaving
    this.#leaving = 0
  }
}
