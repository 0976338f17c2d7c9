import { Agent, request } from 'node:http'

/** `npm run scenarios` sets it; `npm test` runs the same in short. */
export const isFull: boolean = process.env['SLUICE_SCENARIOS'] === 'full'

/**
 * ms for which the loop may stand still in a run whose figures count; see helpers/fair.ts. In full they count in any case: nothing else is to
 * go on beside it.
 */
export const slack: number = isFull ? Infinity : 50

/** Requests per second of a steady load: what two busy cores carry beside everything else, or what two idle ones do. */
export const rate: number = isFull ? 300 : 200

export interface Answer {
  /** On the clock of `performance.now()`. */
  startedAt: number
  took: number
  /** 0 if there was none. */
  status: number
  /** The body: which process answered, or what failed. */
  from: string
}

/** GETs at a steady rate, whether or not those before are answered: a client does not wait for others. */
export class Load {
  readonly answers: Answer[] = []
  readonly #url: string
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 2048 })
  readonly #open = new Set<Promise<void>>()
  readonly #timer: NodeJS.Timeout
  readonly #patience: number
  #rate: number
  /** When it had this rate, and what had been sent by then. */
  #since = performance.now()
  #before = 0
  #sent = 0

  /** @param patience ms after which a client leaves, to whom nothing was answered then */
  constructor (url: string, perSecond: number = rate, patience: number = 0) {
    this.#url = url
    this.#rate = perSecond
    this.#patience = patience
    this.#timer = setInterval(() => { this.#tick() }, 5)
  }

  /** @returns since when, on the clock of `performance.now()` */
  change (perSecond: number): number {
    this.#rate = perSecond
    this.#before = this.#sent
    this.#since = performance.now()
    return this.#since
  }

  /** Since the load began. */
  get sent (): number {
    return this.#sent
  }

  async stop (): Promise<void> {
    clearInterval(this.#timer)
    await Promise.all(this.#open)
    this.#agent.destroy()
  }

  /** Those sent in this time. */
  between (from: number, to: number = Infinity): Answer[] {
    return this.answers.filter(({ startedAt }) => startedAt >= from && startedAt < to)
  }

  get failures (): Record<string, number> {
    return failures(this.answers)
  }

  #tick (): void {
    const due = this.#before + Math.floor((performance.now() - this.#since) / 1000 * this.#rate)
    while (this.#sent < due) {
      this.#sent++
      const exchange = this.#get().finally(() => this.#open.delete(exchange))
      this.#open.add(exchange)
    }
  }

  async #get (): Promise<void> {
    this.answers.push(await ask(this.#url, this.#agent, 'GET', '', this.#patience))
  }
}

/** One request; every outcome is an answer. */
export function ask (url: string, agent?: Agent, method = 'GET', body = '', patience = 0): Promise<Answer> {
  const startedAt = performance.now()
  return new Promise((resolve) => {
    const timer = patience === 0 ? undefined : setTimeout(() => { call.destroy() }, patience)
    const end = (status: number, from: string): void => {
      clearTimeout(timer)
      resolve({ startedAt, took: performance.now() - startedAt, status, from })
    }
    const call = request(url, { agent, method }, (response) => {
      let from = ''
      response.setEncoding('latin1').on('data', (text: string) => { from += text })
      response.on('end', () => { end(response.statusCode!, from) })
      response.on('error', () => { end(0, '') })
    })
    call.on('error', () => { end(0, '') })
    call.end(body)
  })
}

/** What was not answered 200, by status and code, with how often each came. */
export function failures (answers: readonly Answer[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { status, from } of answers) {
    if (status === 200) continue
    const what = `${status} ${/"code":"(\w+)"/.exec(from)?.[1] ?? ''}`
    counts[what] = (counts[what] ?? 0) + 1
  }
  return counts
}

export function percentile (answers: readonly { took: number }[], share: number): number {
  const sorted = answers.map(({ took }) => took).sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Looks until it is so. */
export async function until (what: string, look: () => boolean, timeout = 15_000): Promise<void> {
  const deadline = performance.now() + timeout
  while (!look()) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${timeout} ms`)
    await pause(5)
  }
}
