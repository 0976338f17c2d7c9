import type { ProxyExchange } from '../model/exchange.ts'
import type { Deadlines } from './timeouts.ts'

/** ms. With two ticks of the wheel it is still within the 50 that deadlines are kept to. */
const FIRST_LOOK = 10
/** ms. How late it may be noticed that a client which had stopped has read once more. */
const LAST_LOOK = 1000

/**
 * From here on the client is what we wait for. Nobody tells when some bytes leave a socket's buffer, only when all have: so one
 * looks how many are left, often while that changes and ever less often while it does not.
 */
export function watchReader (exchange: ProxyExchange, deadlines: Deadlines, now: number): void {
  exchange.unread = -1
  exchange.readAt = now
  exchange.lookAfter = FIRST_LOOK
  exchange.phaseDue = exchange.route.timeouts.write === Infinity ? Infinity : now + FIRST_LOOK
  deadlines.arm(exchange)
}

/** Whether a client that has not read everything has stopped reading for too long; if not, it is looked at again. */
export function hasStopped (exchange: ProxyExchange, deadlines: Deadlines, now: number): boolean {
  const unread = exchange.reply.raw.writableLength
  if (unread !== exchange.unread) {
    exchange.unread = unread
    exchange.readAt = now
    exchange.lookAfter = FIRST_LOOK
  }
  const due = exchange.readAt + exchange.route.timeouts.write
  if (due <= now) return true
  exchange.phaseDue = Math.min(due, now + exchange.lookAfter)
  exchange.lookAfter = Math.min(exchange.lookAfter * 2, LAST_LOOK)
  deadlines.arm(exchange)
  return false
}
