import type { Attempt } from '../../types/model.ts'

/** ms that a connection has to have been idle for to be closed for it: servers keep theirs for whole seconds. */
const IDLE = 500
/** ms within which a request finds out that its connection was closed before it came: the way there and back. */
const ROUND_TRIP = 1000

/**
 * Tells of an attempt that met a connection which the upstream had closed for being idle. That is no fault of the endpoint's: the next
 * connection shows. A connection that carried a request just before, or that broke only after a while, was not closed for that.
 */
export function wasClosedMeanwhile ({ reused, headAt, error, idleTime, sentAt, endedAt }: Attempt): boolean {
  const isTerminated = error !== null && error.error === 'connection_terminated'
  return reused && headAt === 0 && isTerminated && idleTime >= IDLE && endedAt - sentAt <= ROUND_TRIP
}
