// Taken when the file loads: a test that mocks the timers must not freeze the deadlines that are to save it.
const { setTimeout, clearTimeout } = globalThis

/** Calls `fn` after `delay` real ms, whatever the test mocks. */
export function later (fn: () => void, delay: number): () => void {
  const timer = setTimeout(fn, delay)
  return () => clearTimeout(timer)
}

// ms; for a reader in another process.
const reading = 20

/**
 * Calls `fn` when the other side has had the time to read what was just written: what is cut off together with its last bytes is not
 * always told from what never came. Not a timer alone, since one that is late runs before anybody reads.
 */
export function onceRead (fn: () => void): () => void {
  return later(() => { setImmediate(() => { setImmediate(fn) }) }, reading)
}

// ms; loopback answers within a few, so only what never comes takes this long, even on one core that others use too.
export const patience = 20_000

export type Falsy = false | null | undefined | 0 | ''

/**
 * Lets tests wait for a state instead of for time: whoever changes the state rings, and every waiter looks again.
 */
export class Bell {
  readonly #looks = new Set<() => void>()

  ring (): void {
    for (const look of this.#looks) look()
  }

  /**
   * Resolves with the first truthy answer of `look`, which is asked now and after every ring. Rejects after `timeout` ms
   * (0 waits for ever) and says what was waited for; a function says it at that time, so it can tell how far things got.
   */
  until<T> (what: string | (() => string), look: () => T | Falsy, timeout: number = patience): Promise<T> {
    const looks = this.#looks
    const wait = new Promise<T>((resolve, reject) => {
      const forget = timeout === 0 ? () => {} : later(giveUp, timeout)

      function lookAgain (): void {
        try {
          const seen = look()
          if (!seen) return
          resolve(seen)
        } catch (error) {
          reject(error)
        }
        looks.delete(lookAgain)
        forget()
      }

      function giveUp (): void {
        looks.delete(lookAgain)
        reject(new Error(`waited ${timeout} ms for ${typeof what === 'string' ? what : what()}`))
      }

      looks.add(lookAgain)
      lookAgain()
    })
    // A test that failed meanwhile awaits this no more; its own error must stay the one that is reported.
    wait.catch(() => {})
    return wait
  }
}

/** For what rings no bell: looks again and again, and resolves with the first truthy answer. Rejects as a bell does. */
export async function eventually<T> (what: string | (() => string), look: () => T | Falsy | Promise<T | Falsy>): Promise<T> {
  const deadline = performance.now() + patience
  for (;;) {
    const seen = await look()
    if (seen) return seen
    if (performance.now() > deadline) throw new Error(`waited ${patience} ms for ${typeof what === 'string' ? what : what()}`)
    await new Promise<void>((resolve) => { later(resolve, 2) })
  }
}
