/** What has lines that its process must not end without. */
interface Unwritten { flush (): void }

const logs = new Set<Unwritten>()

/**
 * Has a log written out when the process ends: before pino, which has been there for longer, empties its own memory. One listener for all
 * of them, since Node takes eleven for a leak and says so.
 */
export function flushAtExit (log: Unwritten): void {
  if (logs.size === 0) process.prependListener('exit', flushAll)
  logs.add(log)
}

export function forget (log: Unwritten): void {
  logs.delete(log)
  if (logs.size === 0) process.removeListener('exit', flushAll)
}

function flushAll (): void {
  for (const log of logs) log.flush()
}
