import type { EndpointPool, Endpoint, Route, Upstream } from '../types/model.ts'
import type { AdHocOptions } from '../types/options.ts'
import type { Balancer, ConnectionObserver } from '../types/policy.ts'
import { UpstreamLoad } from './model/load.ts'
import { readOrigin } from './model/origin.ts'
import { ProxyUpstream } from './model/upstream.ts'
import { checkBoolean, named } from './model/option-result.ts'

/** The one label of all of them: URLs may be made of a client's input, and no label may grow with that. */
export const AD_HOC_LABEL = 'adhoc'

export type AdHocConfig = Required<AdHocOptions>

/** A pool that nobody else has. */
export interface OwnPool extends EndpointPool {
  closeInPeace (): Promise<void>
}

/** An upstream that `reply.proxy` has named by URL. */
export interface AdHocUpstream {
  readonly upstream: Upstream
  readonly pool: OwnPool
  /** The routes that lead there, by the options object where there is one: they go with it. */
  readonly plain: Map<string, Route>
  readonly shaped: WeakMap<object, Map<string, Route>>
}

/** Opens and forgets them; see Gateway. */
export interface AdHocOwner {
  openAdHoc (url: string): { upstream: Upstream, pool: OwnPool }
  forgetAdHoc (upstream: Upstream): void
  /** Tells observers of all of them as of one upstream. */
  announceAdHoc (whole: Upstream): readonly ConnectionObserver[]
}

/**
 * Upstreams by URL, as many as `adHoc.max` at one time. One whose connections have all closed is let go, so that a gateway which is told
 * of its upstreams per request keeps nothing for those that are quiet. One that fails stays for as long as there is room: its breaker
 * spares it.
 */
export class AdHocUpstreams {
  readonly config: AdHocConfig
  readonly #owner: AdHocOwner
  /** In the order of their last use, the least recent first. */
  readonly #present = new Map<string, AdHocUpstream>()
  /** Let go, with exchanges still under way. */
  readonly #leaving = new Set<AdHocUpstream>()
  #observers: readonly ConnectionObserver[] | null = null
  /** In their one form, however they are written; null until they are asked for, when they are known to be origins. */
  #origins: ReadonlySet<string> | null = null

  constructor (config: AdHocConfig, owner: AdHocOwner) {
    this.config = config
    this.#owner = owner
  }

  get size (): number {
    return this.#present.size
  }

  /** Pools to close when the app does. */
  get pools (): OwnPool[] {
    return Array.from([...this.#present.values(), ...this.#leaving], ({ pool }) => pool)
  }

  /**
   * @param url one that `isUrl` takes
   * @throws WrongResultError if `origins` is a function that returns no boolean
   */
  allows (url: string): boolean {
    const { origins } = this.config
    if (typeof origins === 'function') return checkBoolean('adHoc.origins', named('adHoc.origins', 'select', origins)(new URL(url)))
    this.#origins ??= new Set(origins.map((origin) => readOrigin(origin).text))
    return this.#origins.has(readOrigin(url).text)
  }

  find (name: string): Upstream | undefined {
    return this.#present.get(name)?.upstream
  }

  /** @param name the URL in its one form */
  take (name: string): AdHocUpstream {
    let entry = this.#present.get(name)
    if (entry === undefined) entry = this.#open(name)
    else this.#present.delete(name)
    this.#present.set(name, entry)
    if (this.#present.size > this.config.max) this.#letGo(this.#present.keys().next().value!)
    return entry
  }

  #open (name: string): AdHocUpstream {
    this.#observers ??= this.#owner.announceAdHoc(new Whole(this.#present))
    const { upstream, pool } = this.#owner.openAdHoc(name)
    for (const observer of this.#observers) pool.observe(observer)
    const entry = { upstream, pool, plain: new Map<string, Route>(), shaped: new WeakMap<object, Map<string, Route>>() }
    // Not at once: whoever lost the connection may be about to ask for another.
    const lookLater = (): void => { setImmediate(() => { this.#look(name, entry) }) }
    pool.on('disconnect', lookLater)
    pool.on('connectionError', lookLater)
    return entry
  }

  #look (name: string, entry: AdHocUpstream): void {
    if (!isQuiet(entry)) return
    if (this.#leaving.has(entry)) this.#close(entry)
    else if (this.#present.get(name) === entry && isWell(entry)) this.#letGo(name)
  }

  /** Exchanges that are under way go on to their end, retries included, and its pool stays open for them. */
  #letGo (name: string): void {
    const entry = this.#present.get(name)!
    this.#present.delete(name)
    this.#owner.forgetAdHoc(entry.upstream)
    this.#leaving.add(entry)
    // Not at once: an exchange may be about to send, as one whose body comes with the next tick.
    setImmediate(() => { if (isUnused(entry)) this.#close(entry) })
  }

  #close (entry: AdHocUpstream): void {
    const closed = (): void => { this.#leaving.delete(entry) }
    entry.pool.closeInPeace().then(closed, closed)
  }
}

function isUnused ({ upstream: { load, state } }: AdHocUpstream): boolean {
  return load.active + load.pending + load.retrying === 0 && state.endpoints.every(({ tunnels }) => tunnels === 0)
}

function isQuiet (entry: AdHocUpstream): boolean {
  const { busy, idle, warm, opening } = entry.pool.connections
  return busy + idle + warm + opening === 0 && isUnused(entry)
}

function isWell ({ upstream }: AdHocUpstream): boolean {
  return upstream.state.endpoints.every(({ breaker, failures }) => breaker === 'closed' && failures === 0)
}

/** All of them as one upstream, for whoever reads what is under way; worked out when it is read. */
class Whole extends ProxyUpstream {
  constructor (present: ReadonlyMap<string, AdHocUpstream>) {
    const balancer: Balancer = { pick: (available) => available[0]! }
    super(AD_HOC_LABEL, { endpoints: [], available: [], tiers: null, isPanic: false, balancer, observers: [] })
    const gather = (name: 'endpoints' | 'available'): Endpoint[] => {
      return Array.from(present.values(), ({ upstream }) => [...upstream.state[name]]).flat()
    }
    const bare = this.state
    Object.defineProperties(this, {
      state: { get: () => ({ ...bare, endpoints: gather('endpoints'), available: gather('available') }) },
      load: { get: () => sumOf(present.values()) }
    })
  }
}

function sumOf (entries: Iterable<AdHocUpstream>): UpstreamLoad {
  const sum = new UpstreamLoad()
  for (const { upstream: { load } } of entries) {
    sum.active += load.active
    sum.pending += load.pending
    sum.retrying += load.retrying
  }
  return sum
}
