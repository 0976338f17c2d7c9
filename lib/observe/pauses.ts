import { PerformanceObserver } from 'node:perf_hooks'

/** ms between two looks at whether the event loop turns. */
const INTERVAL = 20
/** ms; below that a timer is late for no reason that anybody would look for. */
const NOTICEABLE = 2
/** Spells that are remembered of each kind: seconds under the worst load, and read out within one. */
const REMEMBERED = 1024

/** When something lasted how long; old ones are overwritten. */
export class Spells {
  readonly #from = new Float64Array(REMEMBERED)
  readonly #to = new Float64Array(REMEMBERED)
  #next = 0

  add (from: number, to: number): void {
    this.#from[this.#next] = from
    this.#to[this.#next] = to
    this.#next = (this.#next + 1) % REMEMBERED
  }

  /** Milliseconds between the two moments that were part of any. */
  within (from: number, to: number): number {
    let sum = 0
    for (let index = 0; index < REMEMBERED; index++) {
      const overlap = Math.min(this.#to[index]!, to) - Math.max(this.#from[index]!, from)
      if (overlap > 0) sum += overlap
    }
    return sum
  }
}

/** What this process did instead of anybody's work: garbage collections, and times in which its event loop did not turn. */
export interface Pauses {
  readonly collections: Spells
  readonly stalls: Spells
}

/**
 * Both are the process's, not an app's: however many apps watch, it is done once. monitorEventLoopDelay would say how long the loop was
 * held up but not when, and forgets the moment behind each reset; a timer that is late knows both.
 */
class Watch implements Pauses {
  readonly collections = new Spells()
  readonly stalls = new Spells()
  readonly #collector: PerformanceObserver
  readonly #timer: NodeJS.Timeout
  readonly #listeners = new Set<() => void>()
  #lastTurn = performance.now()

  constructor () {
    this.#collector = new PerformanceObserver((list) => {
      for (const { startTime, duration } of list.getEntries()) this.collections.add(startTime, startTime + duration)
    })
    this.#collector.observe({ entryTypes: ['gc'] })
    this.#timer = setInterval(() => { this.#turn() }, INTERVAL).unref()
  }

  get isUnwatched (): boolean {
    return this.#listeners.size === 0
  }

  add (listener: () => void): void {
    this.#listeners.add(listener)
  }

  remove (listener: () => void): void {
    this.#listeners.delete(listener)
  }

  close (): void {
    this.#collector.disconnect()
    clearInterval(this.#timer)
  }

  #turn (): void {
    const now = performance.now()
    const due = this.#lastTurn + INTERVAL
    if (now - due >= NOTICEABLE) this.stalls.add(due, now)
    this.#lastTurn = now
    for (const listener of this.#listeners) listener()
  }
}

let watch: Watch | null = null

/** From here until `unwatchPauses`, `onTurn` is called every 20 ms, behind what held up the loop. Keeps no process alive. */
export function watchPauses (onTurn: () => void): Pauses {
  watch ??= new Watch()
  watch.add(onTurn)
  return watch
}

export function unwatchPauses (onTurn: () => void): void {
  if (watch === null) return
  watch.remove(onTurn)
  if (!watch.isUnwatched) return
  watch.close()
  watch = null
}
