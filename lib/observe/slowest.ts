import type { Exchange } from '../../types/model.ts'
import type { Observer } from '../../types/policy.ts'
import type { SlowExchange, SlowQuery } from '../../types/slowest.ts'
import type { ProxyExchange } from '../model/exchange.ts'
import { stageNames, stagesOf } from '../model/stages.ts'
import type { Pauses } from './pauses.ts'

/** Routes with a memory of their own; those beyond share one. Bounds what it can all come to at some megabytes. */
const ROUTES = 200
/** ms until the collections of the time of an exchange have been told of. */
const SETTLING = 100

type Entry = { -readonly [Field in keyof SlowExchange]: SlowExchange[Field] } & { endedAt: number, isSettled: boolean }

/** The slowest exchanges of each of some stretches of time, the present one and those just before it. */
class Stretches {
  /** What an exchange has to exceed to be remembered. */
  floor = 0
  /** When the present stretch is over. */
  until = -Infinity
  readonly #length: number
  readonly #kept: number
  readonly #stretches: Entry[][]
  #at = 0

  /**
   * @param length of each, in ms
   * @param kept exchanges of each
   */
  constructor (length: number, kept: number, count: number) {
    this.#length = length
    this.#kept = kept
    this.#stretches = Array.from({ length: count }, () => [])
  }

  turnOver (now: number): void {
    const count = this.#stretches.length
    // Those in which nobody came are over as well.
    const over = this.until === -Infinity ? count : Math.floor((now - this.until) / this.#length) + 1
    for (let step = 0; step < Math.min(over, count); step++) {
      this.#at = (this.#at + 1) % count
      this.#stretches[this.#at] = []
    }
    this.until = over >= count ? now + this.#length : this.until + over * this.#length
    this.floor = 0
  }

  add (entry: Entry): void {
    const present = this.#stretches[this.#at]!
    let index = present.length
    while (index > 0 && present[index - 1]!.total < entry.total) index--
    present.splice(index, 0, entry)
    if (present.length > this.#kept) present.pop()
    if (present.length === this.#kept) this.floor = present[this.#kept - 1]!.total
  }

  all (): Entry[] {
    return this.#stretches.flat()
  }
}

/**
 * Of one route: the last minute closely, so that what was slow for another reason (a start, a failure) does not hide for long what is slow
 * now; and the last five to ten minutes.
 */
class Memory {
  readonly recent = new Stretches(2000, 3, 30)
  readonly longer = new Stretches(300_000, 10, 2)
}

/**
 * Remembers the slowest exchanges of each route with their stages, and what the process did meanwhile: so that a spike in the p99 has a
 * name. Costs all others a comparison.
 */
export class Slowest implements Observer {
  readonly #memories = new Map<string, Memory>()
  readonly #epoch: number
  /** Those whose pauses are not all known yet. */
  #unsettled: Entry[] = []
  pauses: Pauses | null = null

  /** @param epoch what performance.now() counts from, in ms since 1970 */
  constructor (epoch: number) {
    this.#epoch = epoch
  }

  onExchange (exchange: Exchange): void {
    const { endedAt } = exchange
    const total = endedAt - exchange.startedAt
    const { recent, longer } = this.#memoryOf(exchange.route.id)
    if (endedAt >= recent.until) recent.turnOver(endedAt)
    if (endedAt >= longer.until) longer.turnOver(endedAt)
    const isRecent = total > recent.floor
    const isLonger = total > longer.floor
    if ((!isRecent && !isLonger) || !isMeasured(exchange)) return
    const entry = this.#describe(exchange)
    if (isRecent) recent.add(entry)
    if (isLonger) longer.add(entry)
    this.#unsettled.push(entry)
  }

  /** Puts pauses beside those exchanges whose time is over long enough for them to be known. */
  settle (now: number): void {
    if (this.#unsettled.length === 0) return
    this.#unsettled = this.#unsettled.filter((entry) => {
      if (entry.endedAt + SETTLING > now) return true
      this.#nameOf(entry)
      return false
    })
  }

  /** Slowest first. */
  list ({ count = 20, route, upstream, variant, stage, pause }: SlowQuery = {}): SlowExchange[] {
    for (const entry of this.#unsettled) this.#nameOf(entry)
    const all = new Set([...this.#memories.values()].flatMap(({ recent, longer }) => [...longer.all(), ...recent.all()]))
    return [...all]
      .filter((entry) => (route === undefined || entry.route === route) && (upstream === undefined || entry.upstream === upstream) &&
        (variant === undefined || entry.variant === variant) && (stage === undefined || entry.stage === stage) && (pause === undefined || entry.pause === pause))
      .sort((a, b) => b.total - a.total)
      .slice(0, count)
      .map(({ endedAt, isSettled, ...entry }) => entry)
  }

  #memoryOf (route: string): Memory {
    let memory = this.#memories.get(route)
    if (memory === undefined) {
      if (this.#memories.size >= ROUTES && route !== '') return this.#memoryOf('')
      memory = new Memory()
      this.#memories.set(route, memory)
    }
    return memory
  }

  #describe (exchange: Exchange): Entry {
    const { request, last, startedAt, endedAt } = exchange
    const stages = stagesOf(exchange)
    let stage = stageNames[0]!
    for (const name of stageNames) if (stages[name] > stages[stage]) stage = name
    const url = request.raw.url!
    const question = url.indexOf('?')
    return {
      at: this.#epoch + startedAt,
      requestId: String(request.id),
      traceId: exchange.traceId,
      route: exchange.route.id,
      upstream: exchange.upstream.name,
      endpoint: last === null ? null : last.endpoint.origin,
      variant: exchange.variant,
      method: request.method,
      path: question === -1 ? url : url.slice(0, question),
      status: exchange.isAborted ? 499 : exchange.reply.statusCode,
      error: exchange.error === null ? '' : exchange.error.error,
      attempts: exchange.attempts,
      reusedSocket: last !== null && last.reused,
      total: endedAt - startedAt,
      stages,
      stage,
      collecting: 0,
      stalled: 0,
      pause: null,
      endedAt,
      isSettled: false
    }
  }

  #nameOf (entry: Entry): void {
    if (this.pauses === null || entry.isSettled) return
    const { endedAt, total } = entry
    entry.collecting = this.pauses.collections.within(endedAt - total, endedAt)
    entry.stalled = this.pauses.stalls.within(endedAt - total, endedAt)
    // A collection holds up the loop as well: it is the more telling of the two.
    entry.pause = entry.collecting * 2 >= total ? 'gc' : entry.stalled * 2 >= total ? 'event-loop' : null
    entry.isSettled = endedAt + SETTLING <= performance.now()
  }
}

/** What is open for as long as both sides like is not slow: event streams, tunnels. */
function isMeasured (exchange: Exchange): boolean {
  return !(exchange as ProxyExchange).isEventStream && exchange.reply.statusCode !== 101
}
