/*
 * Tests that hold something against the clock ask the machine for something too: that the event loop turns. Where others have the
 * cores it stands still for tens of ms at a time, often, and what is late then is late by no fault of the code.
 */

// Taken when the file loads, as in until.ts: mocked timers would make every loop look stuck.
const { setInterval } = globalThis

const TICK = 5
/** ms; what a timer may be late by on a machine that has nothing else to do. */
const USUAL = 2
/** Enough for the longest of these tests at the least that a spell takes. */
const KEPT = 8192

const spells: { from: number, to: number }[] = []
let watch: NodeJS.Timeout | null = null
let tickedAt = 0

function look (): void {
  const now = performance.now()
  const due = tickedAt + TICK + USUAL
  if (now > due) spells.push({ from: due, to: now })
  if (spells.length > KEPT) spells.splice(0, KEPT / 2)
  tickedAt = now
}

/** From here on it is known when the loop did not turn. It keeps no process alive. */
export function watchLoop (): void {
  if (watch !== null) return
  tickedAt = performance.now()
  watch = setInterval(look, TICK).unref()
}

/** For how many of these ms the loop did not turn. */
export function heldUp (from: number, to: number = performance.now()): number {
  look()
  let sum = 0
  for (const spell of spells) sum += Math.max(0, Math.min(to, spell.to) - Math.max(from, spell.from))
  return sum
}

/** How long it takes, without the time for which the loop did not turn. */
export async function promptly (what: () => unknown): Promise<number> {
  watchLoop()
  const startedAt = performance.now()
  await what()
  const endedAt = performance.now()
  return endedAt - startedAt - heldUp(startedAt, endedAt)
}

const TRIES = 12

/**
 * For a test in which two real times race, and the right one wins by `slack` ms as long as the loop turns. Where it fails although
 * the loop stood still for no longer than that, it fails; else it is run again, and a fault of the code shows again.
 */
export async function fairly (slack: number, run: () => Promise<void>): Promise<void> {
  watchLoop()
  for (let tries = 1; ; tries++) {
    const startedAt = performance.now()
    try {
      return await run()
    } catch (error) {
      if (tries === TRIES || heldUp(startedAt) < slack) throw error
    }
  }
}
