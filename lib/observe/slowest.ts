import type { Exchange } from '../../types/model.ts'
import type { Observer } from '../../types/policy.ts'
import type { SlowExchange, SlowQuery } from '../../types/slowest.ts'
import type { ProxyExchange } from '../model/exchange.ts'
import { stageNames, stagesOf } from '../model/stages.ts'
import type { Pauses } from './pauses.ts'

/** Exchanges that are remembered of a route, and for how long (ms): those of the present spell, and of the one before. */
const REMEMBERED = 10
const SPELL = 300_000
/** Routes with a memory of their own; those beyond share one. Bounds what it can all come to at some megabytes. */
const ROUTES = 1000
/** ms until the collections of the time of an exchange have been told of. */
const SETTLING = 100

type Entry = { -readonly [Field in keyof SlowExchange]: SlowExchange[Field] } & { endedAt: number, isSettled: boolean }

/** The slowest exchanges of one route. */
class Spell {
  present: Entry[] = []
  past: Entry[] = []
  /** What an exchange has to exceed to be remembered. */
  floor = 0
  until = 0
}

/**
 * Remembers the slowest exchanges of each route with their stages, and what the process did meanwhile: so that a spike in the p99 has a
 * name. Costs all others a comparison.
 */
export class Slowest implements Observer {
  readonly #spells = new Map<string, Spell>()
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
    const spell = this.#spellOf(exchange.route.id)
    if (endedAt >= spell.until) turnOver(spell, endedAt)
    if (endedAt - exchange.startedAt <= spell.floor || !isMeasured(exchange)) return
    const entry = this.#describe(exchange)
    const { present } = spell
    let index = present.length
    while (index > 0 && present[index - 1]!.total < entry.total) index--
    present.splice(index, 0, entry)
    if (present.length > REMEMBERED) present.pop()
    if (present.length === REMEMBERED) spell.floor = present[REMEMBERED - 1]!.total
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
  list ({ count = 20, route, upstream, variant, stage }: SlowQuery = {}): SlowExchange[] {
    for (const entry of this.#unsettled) this.#nameOf(entry)
    return [...this.#spells.values()]
      .flatMap(({ present, past }) => [...present, ...past])
      .filter((entry) => (route === undefined || entry.route === route) && (upstream === undefined || entry.upstream === upstream) &&
        (variant === undefined || entry.variant === variant) && (stage === undefined || entry.stage === stage))
      .sort((a, b) => b.total - a.total)
      .slice(0, count)
      .map(({ endedAt, isSettled, ...entry }) => entry)
  }

  #spellOf (route: string): Spell {
    let spell = this.#spells.get(route)
    if (spell === undefined) {
      if (this.#spells.size >= ROUTES && route !== '') return this.#spellOf('')
      spell = new Spell()
      this.#spells.set(route, spell)
    }
    return spell
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

function turnOver (spell: Spell, now: number): void {
  // Of a route that nobody has called for long, those before are no news.
  spell.past = now < spell.until + SPELL ? spell.present : []
  spell.present = []
  spell.floor = 0
  spell.until = now + SPELL
}
