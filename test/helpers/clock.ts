export interface Clock {
  now (): number
  /** Calls `fn` once `ms` have been advanced, at least 1 as setTimeout does; the answer cancels it. */
  setTimer (fn: () => void, ms: number): () => void
  /** Runs what falls due in these ms, in order, each at its own time; what it arms within them runs too. */
  advance (ms: number): void
  /** Timers that are armed and have not run. */
  readonly pending: number
}

interface Timer { at: number, fn: () => void }

export function clock (start: number = 0): Clock {
  let now = start
  const timers = new Set<Timer>()

  // The first that was armed wins a tie: sets keep the order of insertion.
  function nextUpTo (end: number): Timer | null {
    let next: Timer | null = null
    for (const timer of timers) {
      if (timer.at <= end && (next === null || timer.at < next.at)) next = timer
    }
    return next
  }

  return {
    now: () => now,
    setTimer (fn, ms) {
      const timer = { at: now + Math.max(1, ms), fn }
      timers.add(timer)
      return () => { timers.delete(timer) }
    },
    advance (ms) {
      const end = now + ms
      for (let timer = nextUpTo(end); timer !== null; timer = nextUpTo(end)) {
        timers.delete(timer)
        now = timer.at
        timer.fn()
      }
      now = end
    },
    get pending () { return timers.size }
  }
}
