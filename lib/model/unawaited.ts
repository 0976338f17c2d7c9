import process from 'node:process'

/** Kinds of work of which a fault was told: one that comes back every second would be told every second. */
const told = new Set<string>()

/**
 * For work that nobody waits for. What it throws would end the process as an unhandled rejection; here it is a warning of the process, once
 * for each kind of work.
 * @param what was to be done, for the warning
 */
export function unawaited (what: string, work: Promise<unknown>): void {
  work.catch((error: unknown) => {
    if (told.has(what)) return
    told.add(what)
    process.emitWarning(`${what} failed: ${textOf(error)}`, 'SluiceWarning')
  })
}

/** Not every value that can be thrown has a text: an object without a prototype throws over that, too. */
function textOf (error: unknown): string {
  try {
    return String(error)
  } catch {
    return 'without a text'
  }
}
