import { randomBytes } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { Problem } from '../types/control.ts'
import type { Route, Snapshot, Upstream } from '../types/model.ts'
import type { ProxyOptions, ReplyProxyOptions, RouteOptions } from '../types/options.ts'
import type { ConnectionObserver, Observer, Tools } from '../types/policy.ts'
import { AD_HOC_LABEL, type AdHocOwner, type AdHocUpstream, AdHocUpstreams, type OwnPool } from './ad-hoc-upstreams.ts'
import { buildRoute, buildUpstream, type Building } from './config/build.ts'
import { normalize, normalizeRoute, normalizeUpstream, type RouteConfig, type UpstreamConfig } from './config/normalize.ts'
import { suggest } from './config/suggest.ts'
import { canonicalUrl, isUrl } from './config/validate.ts'
import { ControlPlane } from './control-plane/index.ts'
import { realTiming } from './control-plane/timing.ts'
import { Forwarder } from './data-plane/forwarder.ts'
import { type ConnectionPool, createPool, poolKey, type PoolConfig } from './data-plane/pool/index.ts'
import type { Declaration } from './data-plane/routes.ts'
import type { RouteGuards } from './data-plane/route-guards.ts'
import type { Matching } from './data-plane/route-path.ts'
import { Upgrades } from './data-plane/upgrade/upgrades.ts'
import type { Respond } from './model/exchange.ts'
import { findSocketFault } from './model/origin.ts'
import { settleThresholds, sumOfWeights } from './model/canary.ts'
import { ProxySnapshot } from './model/snapshot.ts'
import { unawaited } from './model/unawaited.ts'
import { ReplyRoutes, type ReplyUpstreams } from './reply-routes.ts'
import { ConfigError, proxyError, withoutSecrets } from './errors.ts'

/** How long pools may take to finish what they carry once the app has no more exchanges; then they are cut. */
const CLOSE_TIMEOUT = 2000

/** A route between its declaration and its mounting. */
export interface DeclaredRoute {
  readonly url: string
  readonly where: string
  readonly config: RouteConfig
  /** What Fastify's side of it depends on. */
  readonly declaration: Omit<Declaration, 'id' | 'url' | 'urls' | 'isShort'>
}

function declared (config: RouteConfig): DeclaredRoute {
  const { url, where, methods, behaviour, fastify } = config
  return {
    url,
    where,
    config,
    declaration: {
      methods,
      trace: behaviour.trace,
      hasTrust: behaviour.trust !== undefined,
      hasLocalEdits: behaviour.headers.response?.when !== undefined,
      hasWebSocket: behaviour.websocket !== false,
      options: fastify
    }
  }
}

/** All registrations of one app: collects what they declare, builds the snapshot when the app is ready, closes what was opened. */
export class Gateway implements AdHocOwner, ReplyUpstreams {
  readonly tools: Tools
  /** Of the app's router. */
  readonly matching: Matching
  readonly forwarder: Forwarder
  readonly upgrades: Upgrades = new Upgrades(this)
  readonly controlPlane: ControlPlane
  readonly observers: Observer[] = []
  readonly problems: Problem[] = []
  snapshot: Snapshot | null = null
  /** Declare the routes of each scope that take all methods for one more. */
  readonly mounts: ((method: string) => void)[] = []
  guards: RouteGuards | null = null
  /** Whether every registration lets requests be counted. */
  hasMetrics = true
  readonly #declaredUpstreams = new Map<string, UpstreamConfig>()
  readonly #faultyUpstreams = new Set<string>()
  readonly #declaredRoutes = new Map<string, { readonly url: string, readonly config: RouteConfig }>()
  readonly #pools = new Map<string, ConnectionPool>()
  readonly #upstreams = new Map<string, Upstream>()
  /** URLs that stand in the configuration, and what was opened for them; null while that is nothing. */
  readonly #urls = new Map<string, Upstream | null>()
  readonly #building: Building
  readonly #replyRoutes: ReplyRoutes
  #adHocUpstreams: AdHocUpstreams | null = null
  #adHocConfig: UpstreamConfig | null = null

  constructor (tools: Tools, respond: Respond, matching: Matching) {
    this.tools = tools
    this.matching = matching
    this.forwarder = new Forwarder(tools, respond)
    this.controlPlane = new ControlPlane(realTiming(tools))
    this.#building = {
      tools,
      observers: this.observers,
      instance: randomBytes(6).toString('hex'),
      matching,
      problems: this.problems,
      openPool: (origin, config) => this.#openPool(origin, config),
      watch: (upstream, config) => { this.controlPlane.watch(upstream, config) },
      find: (nameOrUrl, where, problems) => this.#find(nameOrUrl, where, problems)
    }
    this.#replyRoutes = new ReplyRoutes(this.#building, this)
  }

  /** Takes in what one registration declares, and gives what is to be mounted of it. */
  declare (options: ProxyOptions): { prefix: string, routes: DeclaredRoute[] } {
    const { prefix, metrics, adHoc, upstreams, faulty, urls, routes } = normalize(options, this.problems)
    for (const name of faulty) this.#faultyUpstreams.add(name)
    for (const url of urls) this.#urls.set(url, null)
    if (!metrics) this.hasMetrics = false
    if (adHoc !== null && this.#adHocUpstreams !== null) this.problems.push({ path: 'adHoc', message: 'is given in another registration of the app already' })
    else if (adHoc !== null) this.#adHocUpstreams = new AdHocUpstreams(adHoc, this)
    for (const upstream of upstreams) {
      const present = this.#declaredUpstreams.get(upstream.name)
      if (present === undefined) this.#declaredUpstreams.set(upstream.name, upstream)
      // The one-line form names its upstream after the first endpoint: written twice alike, it is one.
      else if (upstream.where !== 'upstream' || !isDeepStrictEqual(present, upstream)) {
        this.problems.push({ path: upstream.where, message: `'${withoutSecrets(upstream.name)}' is declared twice` })
      }
    }
    return { prefix, routes: routes.map(declared) }
  }

  /** The same for one route; null, and problems, if it is not one. */
  declareOne (options: RouteOptions): DeclaredRoute | null {
    const config = normalizeRoute(options, {}, 'route', this.problems)
    return config === null ? null : declared(config)
  }

  /** Of all declared routes. */
  get urls (): string[] {
    return [...this.#declaredRoutes.values()].map(({ url }) => url)
  }

  /** Gives a route the id under which its requests will find it. */
  declareRoute (url: string, { config }: DeclaredRoute): string {
    const name = config.methods === null ? url : `${config.methods.join(',')} ${url}`
    let id = name
    // Routes that differ in their constraints alone.
    for (let number = 2; this.#declaredRoutes.has(id); number++) id = `${name} #${number}`
    this.#declaredRoutes.set(id, { url, config })
    return id
  }

  /**
   * Everything declared becomes the snapshot.
   * @throws ConfigError with every problem of every registration
   */
  build (): void {
    if (this.snapshot !== null) return
    for (const config of this.#declaredUpstreams.values()) {
      if (!this.#upstreams.has(config.name)) this.#open(config)
    }
    const routes = new Map<string, Route>()
    for (const [id, { url, config }] of this.#declaredRoutes) {
      const route = buildRoute(id, url, config, this.#building)
      if (route !== null) routes.set(id, route)
    }
    if (this.problems.length > 0) throw new ConfigError(this.problems)
    this.snapshot = new ProxySnapshot(1, this.#upstreams, routes)
  }

  /** Opens what is to be open, and checks what is to be checked, before the first request. No upstream can keep the app from starting. */
  async start (): Promise<void> {
    await Promise.all([this.controlPlane.start(), ...Array.from(this.#pools.values(), (pool) => pool.keepWarm())])
  }

  /** Milliseconds that `start` may take, as far as is declared. */
  get longestStart (): number {
    const waits = Array.from(this.#declaredUpstreams.values(), ({ health, pool }) => {
      return Math.max(health === false ? 0 : health.waitForHealthy, pool.warm === 0 ? 0 : pool.connectTimeout)
    })
    return Math.max(0, ...waits)
  }

  setCanary (routeIdOrUrl: string, name: string, { weight }: { weight: number }): void {
    const routes = this.snapshot?.routes ?? new Map<string, Route>()
    let route = routes.get(routeIdOrUrl)
    if (route === undefined) {
      const sameUrl = [...routes.values()].filter(({ url }) => url === routeIdOrUrl)
      if (sameUrl.length === 1) route = sameUrl[0]!
    }
    if (route === undefined) throw refused('route', `there is no route '${withoutSecrets(routeIdOrUrl)}'`, routeIdOrUrl, routes.keys())
    const canary = route.canaries?.find((candidate) => candidate.name === name)
    if (canary === undefined) throw refused('name', `'${route.id}' has no canary '${withoutSecrets(name)}'`, name, route.canaries?.map((candidate) => candidate.name) ?? [])
    if (typeof weight !== 'number' || !(weight >= 0 && weight <= 100)) throw refused('weight', `must be a number from 0 to 100, not ${String(weight)}`, '', [])
    const canaries = route.canaries!
    const sum = sumOfWeights(canaries.map((other) => other === canary ? { weight } : other))
    if (sum > 100) throw refused('weight', `would make ${sum} per cent with the other canaries of '${route.id}'; there are 100`, '', [])
    canary.weight = weight
    settleThresholds(canaries)
  }

  upstream (name: string): Upstream | undefined {
    return this.#upstreams.get(name) ?? this.#adHocUpstreams?.find(name)
  }

  /** See ReplyRoutes. */
  replyRoute (upstream: string, options: ReplyProxyOptions, behaviour: Readonly<Record<string, unknown>>): Route {
    return this.#replyRoutes.of(upstream, options, behaviour)
  }

  /** @throws ProxyError `config_error` for a URL that is neither configured nor allowed by `adHoc` */
  adHoc (nameOrUrl: string): AdHocUpstream | null {
    if (this.#upstreams.has(nameOrUrl) || !isUrl(nameOrUrl)) return null
    const name = canonicalUrl(nameOrUrl)
    if (this.#urls.has(name)) return null
    const adHoc = this.#adHocUpstreams
    if (adHoc === null || !adHoc.allows(nameOrUrl)) {
      const remedy = adHoc === null ? '; name one of `upstreams`, or allow its origin in `adHoc`' : ', and not among `adHoc.origins`'
      throw proxyError('config_error', 'select', new ConfigError([{ path: 'reply.proxy', message: unknownUrl(name, remedy) }]))
    }
    return adHoc.take(name)
  }

  openAdHoc (url: string): { upstream: Upstream, pool: OwnPool } {
    // Validated once: they differ in nothing but their URL.
    this.#adHocConfig ??= normalizeUpstream(url, url, 'reply.proxy', [])!
    const config = { ...this.#adHocConfig, name: url, endpoints: [{ ...this.#adHocConfig.endpoints[0]!, origin: url }] }
    let pool: ConnectionPool | null = null
    const openPool = (origin: string, config: PoolConfig): ConnectionPool => { pool = createPool(origin, config); return pool }
    const upstream = buildUpstream(config, { ...this.#building, openPool }, AD_HOC_LABEL)
    return { upstream, pool: pool! as OwnPool }
  }

  forgetAdHoc (upstream: Upstream): void {
    this.controlPlane.forget(upstream)
  }

  announceAdHoc (whole: Upstream): readonly ConnectionObserver[] {
    return this.observers.map((observer) => observer.onUpstream?.(whole)).filter((told) => told !== undefined)
  }

  /** Ends what has no end of its own, so that the server can close. */
  drain (): void {
    this.forwarder.drain()
  }

  /** Closes the pools: in peace while that takes no longer than it should, by force afterwards. */
  async close (): Promise<void> {
    this.controlPlane.close()
    this.upgrades.stop()
    const pools = [...this.#pools.values(), ...this.#adHocUpstreams?.pools ?? []]
    let timer: NodeJS.Timeout | undefined
    const deadline = new Promise<'late'>((resolve) => { timer = setTimeout(resolve, CLOSE_TIMEOUT, 'late') })
    // The clients are gone by now; an upstream may still have to answer our close frame.
    const closed = Promise.allSettled([...pools.map((pool) => pool.closeInPeace()), this.forwarder.tunnels.closed()]).then(() => 'closed' as const)
    const outcome = await Promise.race([closed, deadline])
    clearTimeout(timer)
    if (outcome === 'late') await Promise.all(pools.map((pool) => pool.destroy()))
    this.forwarder.close()
  }

  #openPool (origin: string, config: PoolConfig): ConnectionPool {
    const key = poolKey(origin, config)
    let pool = this.#pools.get(key)
    if (pool === undefined) {
      pool = createPool(origin, config)
      if (this.snapshot !== null) unawaited('opening connections ahead', pool.keepWarm())
      this.#pools.set(key, pool)
    }
    return pool
  }

  #find (nameOrUrl: string, where: string, problems: Problem[] = this.problems): Upstream | null {
    const known = this.#upstreams.get(nameOrUrl)
    if (known !== undefined) return known
    if (this.#faultyUpstreams.has(nameOrUrl)) return null
    if (!isUrl(nameOrUrl)) {
      problems.push({ path: where, message: unknownUpstream(nameOrUrl, this.#upstreams.keys()) })
      return null
    }
    const name = canonicalUrl(nameOrUrl)
    const declared = this.#urls.get(name)
    if (declared !== undefined && declared !== null) return declared
    if (this.snapshot !== null && declared === undefined) {
      // Of a canary in the options of `reply.proxy`.
      problems.push({ path: where, message: unknownUrl(name, '; name one of `upstreams`') })
      return null
    }
    const config = normalizeUpstream(nameOrUrl, nameOrUrl, where, problems)
    if (config === null) return null
    const upstream = this.#open(config)
    this.#urls.set(name, upstream)
    return upstream
  }

  #open (config: UpstreamConfig): Upstream {
    const upstream = buildUpstream(config, this.#building)
    this.#upstreams.set(config.name, upstream)
    for (const observer of this.observers) {
      const told = observer.onUpstream?.(upstream)
      if (told !== undefined) for (const { pool } of upstream.state.endpoints) pool.observe(told)
    }
    return upstream
  }
}

function unknownUrl (url: string, remedy: string): string {
  return `'${url}' is no upstream of a route or a canary${remedy}`
}

function unknownUpstream (name: string, known: Iterable<string>): string {
  const fault = findSocketFault(name)
  if (fault !== null) return `there is no upstream '${withoutSecrets(name)}'; ${fault}`
  const guess = suggest(name, known)
  const hint = "; name one of `upstreams`, or give an http or https URL without query, or 'unix:' and a path"
  return `there is no upstream '${withoutSecrets(name)}'${guess === null ? hint : `; did you mean '${withoutSecrets(guess)}'?`}`
}

function refused (path: string, message: string, given: string, known: Iterable<string>): ConfigError {
  const guess = suggest(given, known)
  return new ConfigError([{ path, message: guess === null ? message : `${message}; did you mean '${withoutSecrets(guess)}'?` }])
}
