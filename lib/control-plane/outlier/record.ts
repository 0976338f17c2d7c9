import type { Judgement } from './judgement.ts'
import type { OutlierConfig } from './index.ts'

/** Parts of the window that are forgotten one by one; each is a look at the clock, not at every attempt. */
export const SLICES = 6

/** What is remembered of one endpoint. Numbers only: every attempt writes here. */
export class EndpointRecord {
  /** In a row, without one that went well. */
  failures = 0
  attempts = 0
  /** Of these, those that came to no answer: what the rate is of. */
  broken = 0
  /** Ejections without a time in between in which it did well. */
  ejections = 0
  /** After an ejection and until one attempt goes well: the first failure is enough. */
  isOnProbation = false
  /** When it was last ejected, or came back: attempts that began before say nothing of it now. */
  since = 0
  readonly #before: { attempts: number, broken: number }[] = []
  #failedInSlice = false

  /** @returns why the endpoint should be ejected, or null */
  add (judgement: NonNullable<Judgement>, config: OutlierConfig): string | null {
    this.attempts++
    if (judgement === 'well') {
      this.failures = 0
      this.isOnProbation = false
      return null
    }
    this.#failedInSlice = true
    if (judgement !== 'unavailable') this.broken++
    if (++this.failures >= (this.isOnProbation ? 1 : config.consecutiveFailures)) return 'consecutive-failures'
    return judgement !== 'unavailable' && this.#isAboveRate(config) ? 'failure-rate' : null
  }

  /** A slice of the window is over. @returns whether the next ones have anything left to forget, should there be no more attempts */
  turn (): boolean {
    const hasAttempts = this.attempts !== (this.#before.at(-1)?.attempts ?? 0)
    // A slice without attempts is no evidence of health: an endpoint that is out gets none.
    if (hasAttempts && !this.#failedInSlice && this.ejections > 0) this.ejections--
    this.#failedInSlice = false
    this.#before.push({ attempts: this.attempts, broken: this.broken })
    if (this.#before.length > SLICES) this.#before.shift()
    return this.#before.length < SLICES || this.#before[0]!.attempts !== this.attempts
  }

  /** It comes back with a clean slate, but is looked at closely. */
  forgive (): void {
    this.failures = 0
    this.attempts = 0
    this.broken = 0
    this.isOnProbation = true
    this.#before.length = 0
  }

  #isAboveRate ({ failureRate, minimumRequests }: OutlierConfig): boolean {
    // Until the window is full, since the beginning.
    const start = this.#before.length < SLICES ? { attempts: 0, broken: 0 } : this.#before[0]!
    const attempts = this.attempts - start.attempts
    return attempts >= minimumRequests && (this.broken - start.broken) / attempts >= failureRate
  }
}
