import { randomBytes } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { Problem } from '../types/control.ts'
import type { Route, Snapshot, Upstream } from '../types/model.ts'
import type { ProxyOptions, ReplyProxyOptions, RouteBehaviour, RouteOptions } from '../types/options.ts'
import type { Observer, Tools } from '../types/policy.ts'
import { buildRoute, buildUpstream, type Building } from './config/build.ts'
import { copyOptions, expandRewrite, normalize, normalizeBehaviour, normalizeRoute, normalizeUpstream, type RouteConfig, type UpstreamConfig } from './config/normalize.ts'
import { replySchema } from './config/schema.ts'
import { suggest } from './config/suggest.ts'
import { isUrl, validate } from './config/validate.ts'
import { ControlPlane } from './control-plane/index.ts'
import { realTiming } from './control-plane/timing.ts'
import { Forwarder } from './data-plane/forwarder.ts'
import { type ConnectionPool, createPool, poolKey, type PoolConfig } from './data-plane/pool/index.ts'
import type { Declaration } from './data-plane/routes.ts'
import { AnyPath, type Matching } from './data-plane/route-path.ts'
import { Upgrades } from './data-plane/upgrade/upgrades.ts'
import type { Respond } from './model/exchange.ts'
import { ProxySnapshot } from './model/snapshot.ts'
import { unawaited } from './model/unawaited.ts'
import { ConfigError, proxyError } from './errors.ts'

/** How long pools may take to finish what they carry once the app has no more exchanges; then they are cut. */
const CLOSE_TIMEOUT = 2000
/** Upstreams that `reply.proxy` may name by URL before it must be a mistake (or somebody's input). */
const AD_HOC_UPSTREAMS = 256

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
export class Gateway {
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
  /** Whether every registration lets requests be counted. */
  hasMetrics = true
  readonly #declaredUpstreams = new Map<string, UpstreamConfig>()
  readonly #faultyUpstreams = new Set<string>()
  readonly #declaredRoutes = new Map<string, { readonly url: string, readonly config: RouteConfig }>()
  readonly #pools = new Map<string, ConnectionPool>()
  readonly #upstreams = new Map<string, Upstream>()
  /** Routes of `reply.proxy`: by the upstream's name, and by the options object where there is one. */
  readonly #plainReplies = new Map<string, Route>()
  readonly #shapedReplies = new WeakMap<object, Map<string, Route>>()
  readonly #building: Building
  #adHoc = 0

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
      find: (nameOrUrl, where) => this.#find(nameOrUrl, where)
    }
  }

  /** Takes in what one registration declares, and gives what is to be mounted of it. */
  declare (options: ProxyOptions): { prefix: string, routes: DeclaredRoute[] } {
    const { prefix, metrics, upstreams, faulty, routes } = normalize(options, this.problems)
    for (const name of faulty) this.#faultyUpstreams.add(name)
    if (!metrics) this.hasMetrics = false
    for (const upstream of upstreams) {
      const present = this.#declaredUpstreams.get(upstream.name)
      if (present === undefined) this.#declaredUpstreams.set(upstream.name, upstream)
      // The one-line form names its upstream after the first endpoint: written twice alike, it is one.
      else if (upstream.where !== 'upstream' || !isDeepStrictEqual(present, upstream)) {
        this.problems.push({ path: upstream.where, message: `'${upstream.name}' is declared twice` })
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
    if (route === undefined) throw refused('route', `there is no route '${routeIdOrUrl}'`, routeIdOrUrl, routes.keys())
    const canary = route.canaries?.find((candidate) => candidate.name === name)
    if (canary === undefined) throw refused('name', `'${route.id}' has no canary '${name}'`, name, route.canaries?.map((candidate) => candidate.name) ?? [])
    if (typeof weight !== 'number' || !(weight >= 0 && weight <= 100)) throw refused('weight', `must be a number from 0 to 100, not ${String(weight)}`, '', [])
    canary.weight = weight
  }

  upstream (name: string): Upstream | undefined {
    return this.#upstreams.get(name)
  }

  /**
   * The route that `reply.proxy` goes by.
   * @throws ConfigError if the options are not a route's behaviour; ProxyError `config_error` if there is no such upstream
   */
  replyRoute (upstream: string, options: ReplyProxyOptions, behaviour: Readonly<Record<string, unknown>>): Route {
    const isPlain = Object.keys(behaviour).length === 0
    const known = isPlain ? this.#plainReplies : this.#shapedReplies.get(options) ?? new Map<string, Route>()
    let route = known.get(upstream)
    if (route !== undefined) return route
    route = this.#buildReplyRoute(upstream, behaviour)
    known.set(upstream, route)
    if (!isPlain) this.#shapedReplies.set(options, known)
    return route
  }

  #buildReplyRoute (upstream: string, behaviour: Readonly<Record<string, unknown>>): Route {
    const problems: Problem[] = []
    const full = copyOptions(behaviour) as Record<string, unknown>
    expandRewrite(full)
    const written = copyOptions(full) as RouteBehaviour
    if (!validate(replySchema, full, '', problems)) throw new ConfigError(problems)
    const config: RouteConfig = {
      url: '/*',
      methods: null,
      upstream,
      rewritePrefix: null,
      behaviour: normalizeBehaviour(full, written, '', problems),
      fastify: {},
      where: ''
    }
    const route = buildRoute(`reply.proxy ${upstream}`, '/*', config, { ...this.#building, problems, find: (name, where) => this.#find(name, where, problems) })
    if (route === null || problems.length > 0) throw proxyError('config_error', 'select', new ConfigError(problems))
    return config.behaviour.rewrite === undefined ? Object.freeze({ ...route, path: new AnyPath() }) : route
  }

  /** Ends what has no end of its own, so that the server can close. */
  drain (): void {
    this.forwarder.drain()
  }

  /** Closes the pools: in peace while that takes no longer than it should, by force afterwards. */
  async close (): Promise<void> {
    this.controlPlane.close()
    this.upgrades.stop()
    const pools = [...this.#pools.values()]
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
    if (this.snapshot !== null && ++this.#adHoc > AD_HOC_UPSTREAMS) {
      problems.push({ path: where, message: `more than ${AD_HOC_UPSTREAMS} upstreams were named by URL; declare them under upstreams` })
      return null
    }
    const config = normalizeUpstream(nameOrUrl, nameOrUrl, where, problems)
    if (config === null) return null
    return this.#open(config)
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

function unknownUpstream (name: string, known: Iterable<string>): string {
  const guess = suggest(name, known)
  return `there is no upstream '${name}'${guess === null ? '; name one of `upstreams`, or give an http or https URL without query' : `; did you mean '${guess}'?`}`
}

function refused (path: string, message: string, given: string, known: Iterable<string>): ConfigError {
  const guess = suggest(given, known)
  return new ConfigError([{ path, message: guess === null ? message : `${message}; did you mean '${guess}'?` }])
}
