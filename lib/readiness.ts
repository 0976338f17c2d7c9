import type { FastifyInstance } from 'fastify'

/** Share of `pluginTimeout` that one hook waits; the rest is for what else it does. */
const SHARE = 0.5
/** ms that one hook waits where `pluginTimeout: 0` sets no bound: as long as a timer lasts. */
const LONGEST = 2 ** 31 - 1

/**
 * Holds back the readiness of an app until its gateway has started. An `onReady` hook that takes longer than `pluginTimeout` (10 s where
 * nobody wrote another) would end the start with an error, so a longer wait is shared by several hooks, each of which has its own time
 * (test/contract/fastify-router.test.ts).
 */
export class Readiness {
  readonly #app: FastifyInstance
  /** Milliseconds of one hook. */
  readonly #share: number
  #allowed: number
  #started: Promise<unknown> = Promise.resolve()

  constructor (app: FastifyInstance) {
    const { pluginTimeout = 0 } = app.initialConfig
    this.#app = app
    this.#share = pluginTimeout > 0 ? pluginTimeout * SHARE : LONGEST
    this.#allowed = this.#share
  }

  /** Adds hooks until they may wait for so many milliseconds together. */
  allow (longest: number): void {
    for (; this.#allowed < longest; this.#allowed += this.#share) this.#app.addHook('onReady', () => this.#wait())
  }

  /** Waits for the start within the hook that begins it. */
  begin (started: Promise<unknown>): Promise<void> {
    this.#started = started
    return this.#wait()
  }

  async #wait (): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    // Keeps the process alive, too: a script that injects has nothing else, and no timer of the control plane does.
    const isOver = new Promise<void>((resolve) => { timer = setTimeout(resolve, this.#share) })
    try {
      await Promise.race([this.#started, isOver])
    } finally {
      clearTimeout(timer)
    }
  }
}
