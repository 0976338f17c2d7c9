/** ms. A Retry-After beyond this is not waited for: nobody should hold a client, and its request here, for as long as an upstream likes. */
const RETRY_AFTER_LIMIT = 5000

/** How long to wait before a retry. Full jitter: retries that began together must not come back together. */
export class Backoff {
  readonly #base: number
  readonly #max: number
  readonly #random: () => number

  constructor (base: number, max: number, random: () => number) {
    this.#base = base
    this.#max = max
    this.#random = random
  }

  /**
   * @param retry which one it is, from 1
   * @param retryAfter what the answer says about it
   */
  delay (retry: number, retryAfter: string | string[] | undefined): number {
    const told = retryAfter === undefined ? null : readRetryAfter(retryAfter, Date.now())
    // Somewhat later than told: everyone else has been told the same.
    if (told !== null && told <= RETRY_AFTER_LIMIT) return told * (1 + this.#random() / 2)
    return this.#random() * Math.min(this.#max, (2 ** retry - 1) * this.#base)
  }
}

/** Milliseconds; null where it says nothing that could be meant (RFC 9110 10.2.3), or what has passed. */
export function readRetryAfter (value: string | string[], wallTime: number): number | null {
  if (typeof value !== 'string') return null
  const text = value.trim()
  // Ten digits are three hundred years; more would lose their last ones.
  if (/^\d{1,10}$/.test(text)) return text.replace(/^0+/, '') === '' ? null : Number(text) * 1000
  if (text.length > 40 || !text.endsWith('GMT')) return null
  const until = Date.parse(text) - wallTime
  return until > 0 ? until : null
}
