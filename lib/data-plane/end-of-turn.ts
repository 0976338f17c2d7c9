import { nextTurn } from '../model/seats.ts'

/** Something that waits for the end of this turn of the event loop. */
export interface Waiting {
  turnEnded (): void
}

let waiting: Waiting[] = []

/**
 * Calls `turnEnded` once everything that sockets have for us now has been read. One immediate serves all that wait in a turn, and
 * those that no longer need it by then cost nothing more.
 */
export function atEndOfTurn (one: Waiting): void {
  if (waiting.push(one) === 1) setImmediate(endTurn)
}

function endTurn (): void {
  nextTurn()
  const ready = waiting
  waiting = []
  for (let index = 0; index < ready.length; index++) ready[index]!.turnEnded()
}
