import type { Tools } from '../../types/policy.ts'

/** Time and chance of the control plane, injected so that tests decide both. */
export interface Timing extends Tools {
  /** Calls `fn` once after `ms`; the answer cancels it. */
  readonly setTimer: (fn: () => void, ms: number) => () => void
}

/** None of its timers keeps the process alive: what an app waits for is its server. */
export function realTiming (tools: Tools): Timing {
  return {
    ...tools,
    setTimer (fn, ms) {
      const timer = setTimeout(fn, ms).unref()
      return () => { clearTimeout(timer) }
    }
  }
}
