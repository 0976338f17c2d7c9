import type { Canary, Endpoint, EndpointPool, PathRewrite, Route, Upstream, WebSocketPolicy } from '../../types/model.ts'
import type { Problem } from '../../types/control.ts'
import type { Observer, Tools } from '../../types/policy.ts'
import type { TimeoutOptions } from '../../types/options.ts'
import { createBalancer, learnerOf, withPriorities } from '../data-plane/balancer/index.ts'
import { readCookie } from '../data-plane/cookie.ts'
import { capacityOf, type PoolConfig } from '../data-plane/pool/index.ts'
import { rewritePlan } from '../data-plane/rewrite/index.ts'
import { type Matching, PathFunction, PathTemplate, ReplacePrefix, RoutePath, SamePath } from '../data-plane/route-path.ts'
import { deadlineHeader, localResponseTransforms, ownedNames, requestTransforms, responseTransforms } from '../data-plane/transform/index.ts'
import type { PrefixPair } from '../data-plane/transform/location.ts'
import { Breaker } from '../data-plane/breaker/index.ts'
import { createRetry, findRetryFault } from '../data-plane/retry/index.ts'
import { seatsOf } from '../data-plane/limit/seats.ts'
import { ProxyCanary, settleThresholds, sumOfWeights } from '../model/canary.ts'
import { ProxyEndpoint } from '../model/endpoint.ts'
import { named } from '../model/option-result.ts'
import { readOrigin } from '../model/origin.ts'
import { ProxyUpstream } from '../model/upstream.ts'
import type { CanaryConfig, RouteConfig, UpstreamConfig, WebSocketConfig } from './normalize.ts'
import { withoutSecrets } from '../errors.ts'
import { join } from './validate.ts'

/** What building needs of the gateway that it builds for. */
export interface Building {
  readonly tools: Tools
  readonly observers: readonly Observer[]
  /** Marks this gateway's own hops in Via. */
  readonly instance: string
  /** Of the app's router. */
  readonly matching: Matching
  readonly problems: Problem[]
  openPool (origin: string, config: PoolConfig): EndpointPool
  /** Has an upstream watched over: health, ejection, availability. */
  watch (upstream: Upstream, config: UpstreamConfig): void
  /** An upstream by name or URL; null, and a problem, if there is none. */
  find (nameOrUrl: string, where: string, problems?: Problem[]): Upstream | null
}

/** @param label what stands for its name in metrics, and for its endpoints: where names are not the configuration's */
export function buildUpstream (config: UpstreamConfig, building: Building, label: string | null = null): Upstream {
  const endpoints = config.endpoints.map((endpoint): Endpoint => {
    const origin = readOrigin(endpoint.origin)
    const pool = building.openPool(origin.text, config.pool)
    return new ProxyEndpoint(origin, {
      weight: endpoint.weight,
      priority: endpoint.priority,
      host: endpoint.host ?? null,
      servername: config.pool.tls?.servername ?? null,
      connections: capacityOf(config.pool),
      connectTimeout: config.pool.connectTimeout,
      ...config.breaker !== false && { probes: config.breaker.probes, probeTimeout: config.breaker.halfOpenAfter },
      ...label !== null && { label }
    }, pool, seatsOf(pool, capacityOf(config.pool)))
  })
  const balancer = createBalancer(config.balancer, building.tools)
  const hasPriorities = endpoints.some(({ priority }) => priority !== endpoints[0]!.priority)
  const learner = learnerOf(balancer)
  const upstream = new ProxyUpstream(config.name, {
    endpoints,
    available: endpoints,
    tiers: null,
    isPanic: false,
    balancer: hasPriorities ? withPriorities(balancer, building.tools) : balancer,
    observers: observersOf(learner, config.breaker, building)
  }, config.limits, label ?? config.name)
  if (config.written.connectTimeout !== undefined) writtenConnectTimeouts.set(upstream, config.written.connectTimeout)
  building.watch(upstream, config)
  return upstream
}

/** `pool.connectTimeout` of upstreams that name one, for routes to be checked against. */
const writtenConnectTimeouts = new WeakMap<Upstream, number>()

/** Those of the app, and what the upstream's own policies learn by. The breaker first: who comes after it sees what it did. */
function observersOf (learner: Observer | null, breaker: UpstreamConfig['breaker'], { observers, tools }: Building): readonly Observer[] {
  if (learner === null && breaker === false) return observers
  return [...(breaker === false ? [] : [new Breaker(breaker, tools.now)]), ...observers, ...(learner === null ? [] : [learner])]
}

/** A declared route, ready for requests; null, and problems, if it names what is not there. */
export function buildRoute (id: string, url: string, config: RouteConfig, building: Building): Route | null {
  const upstream = building.find(config.upstream, join(config.where, 'upstream'))
  const { behaviour } = config
  const canaries = buildCanaries(behaviour.canaries, config.where, building)
  checkTimeouts(behaviour.written.timeouts, upstream, config.where, building.problems)
  checkRetry(behaviour, config.where, building.problems)
  const path = buildPath(url, config, building)
  if (upstream === null || canaries === null || path === null) return null
  checkWebSocket(config, [upstream, ...canaries.map((canary) => canary.upstream)], building.problems)
  const { rewrite, pair } = path
  const owned = ownedNames(behaviour)
  return Object.freeze({
    id,
    url,
    upstream,
    canaries: canaries.length === 0 ? null : canaries,
    timeouts: buildTimeouts(behaviour.timeouts),
    retry: createRetry(behaviour.retry, building.tools),
    replay: behaviour.body.replay,
    deadlineHeader: deadlineHeader(behaviour.forwardDeadline),
    encodedSlashes: behaviour.encodedSlashes,
    // A reply.proxy says which path is meant.
    ambiguousPaths: behaviour.ambiguousPaths ?? 'forward',
    hasTwoNames: behaviour.location && pair !== null,
    path: rewrite,
    // A function gives names when it is called.
    owned: owned.isEmpty && behaviour.credentials === undefined ? null : owned,
    requestTransforms: requestTransforms(behaviour, pair, building.instance, owned),
    responseTransforms: responseTransforms(behaviour, pair),
    localResponseTransforms: localResponseTransforms(behaviour),
    trace: behaviour.trace,
    trust: behaviour.trust === undefined ? null : named('trust', 'select', behaviour.trust),
    bodyLimit: requestLimit(behaviour.body.requestLimit, config.fastify['bodyLimit']),
    responseLimit: behaviour.body.responseLimit ?? Infinity,
    slow: behaviour.slow,
    rewrite: rewritePlan(behaviour.body),
    pseudonym: behaviour.via === false ? 'sluice' : behaviour.via,
    websocket: buildWebSocket(url, behaviour.websocket, building.matching)
  })
}

/** The smaller one, whoever said it; 0 where nobody did. */
function requestLimit (own: number | undefined, bodyLimit: unknown): number {
  const limit = Math.min(own ?? Infinity, typeof bodyLimit === 'number' ? bodyLimit : Infinity)
  return limit === Infinity ? 0 : limit
}

function checkWebSocket ({ behaviour, where }: RouteConfig, upstreams: readonly Upstream[], problems: Problem[]): void {
  const other = behaviour.websocket ? upstreams.find(({ state }) => state.endpoints.some(({ pool }) => pool.cannotUpgrade)) : undefined
  if (other !== undefined) problems.push({ path: join(where, 'websocket'), message: `needs upstreams that are spoken to in HTTP/1.1; '${other.name}' has pool.protocol 'h2'` })
}

function buildWebSocket (url: string, config: false | undefined | WebSocketConfig, matching: Matching): WebSocketPolicy | null {
  // undefined for a reply.proxy, which comes after the handshake.
  if (config === false || config === undefined) return null
  const shape = new RoutePath(url, matching)
  const { allowedOrigins, idleTimeout } = config
  return Object.freeze({
    owns: (path: string) => shape.match(path) !== -1,
    isAllowed: buildOrigins(allowedOrigins),
    idleTimeout: idleTimeout === 0 ? Infinity : idleTimeout
  })
}

function buildOrigins (allowed: WebSocketConfig['allowedOrigins']): WebSocketPolicy['isAllowed'] {
  if (allowed === undefined) return null
  if (typeof allowed === 'function') return named('websocket.allowedOrigins', 'upgrade', allowed)
  const origins = new Set<string | undefined>(allowed)
  return (origin) => origins.has(origin)
}

interface BuiltPath {
  readonly rewrite: PathRewrite
  /** How Location finds its way back; null where that cannot be told. */
  readonly pair: PrefixPair | null
}

function buildPath (declaredUrl: string, config: RouteConfig, { matching, problems }: Building): BuiltPath | null {
  const { rewrite } = config.behaviour
  const { url } = new RoutePath(declaredUrl, matching)
  if (config.rewritePrefix !== null) {
    const prefix = url.slice(0, -2) // without '/*'
    const pair = { client: prefix, upstream: config.rewritePrefix.replace(/\/$/, '') }
    return { rewrite: new ReplacePrefix(prefix, config.rewritePrefix, matching), pair: prefix.includes(':') ? null : pair }
  }
  if (rewrite === undefined) return { rewrite: new SamePath(url, matching), pair: { client: '', upstream: '' } }
  if (typeof rewrite === 'function') return { rewrite: new PathFunction(url, rewrite, matching), pair: null }
  const fault = findTemplateFault(rewrite, url)
  if (fault !== null) {
    problems.push({ path: join(config.where, 'rewrite'), message: fault })
    return null
  }
  const isPrefix = [url, rewrite].every((pattern) => pattern.endsWith('/*') && !pattern.includes(':'))
  return { rewrite: new PathTemplate(url, rewrite, matching), pair: isPrefix ? { client: url.slice(0, -2), upstream: rewrite.slice(0, -2) } : null }
}

function findTemplateFault (template: string, url: string): string | null {
  if (!template.startsWith('/')) return `must begin with '/', not '${withoutSecrets(template)}'`
  if (/[?#\s\\]/.test(template)) return 'must be a path, without query'
  if (template.slice(0, -1).includes('*')) return "may have '*' only at its end"
  if (template.endsWith('*') && !url.endsWith('*')) return `has a wildcard, and '${url}' has none`
  const known = new Set(PathTemplate.parameters(url))
  const unknown = PathTemplate.parameters(template).find((name) => !known.has(name))
  return unknown === undefined ? null : `uses ':${unknown}', which '${url}' does not have`
}

function buildCanaries (configs: readonly CanaryConfig[], where: string, building: Building): Canary[] | null {
  const canaries: Canary[] = []
  const names = new Set<string>(['stable'])
  for (const [index, config] of configs.entries()) {
    const path = configs.length === 1 ? join(where, 'canary') : `${join(where, 'canaries')}[${index}]`
    const upstream = building.find(config.upstream, join(path, 'upstream'))
    if (upstream === null) continue
    const name = config.name ?? upstream.name
    if (names.has(name)) building.problems.push({ path: join(path, 'name'), message: `'${withoutSecrets(name)}' is taken by another variant of this route; give it a name of its own` })
    names.add(name)
    canaries.push(new ProxyCanary({
      name,
      upstream,
      header: config.header?.toLowerCase() ?? null,
      cookie: config.cookie ?? null,
      values: buildValues(config.values),
      sticky: buildSticky(config.sticky),
      onEmpty: config.onEmpty,
      fallback: config.fallback,
      weight: config.weight
    }))
  }
  const sum = sumOfWeights(configs)
  if (sum > 100) building.problems.push({ path: join(where, 'canaries'), message: `have weights of ${sum} per cent in all; there are 100` })
  settleThresholds(canaries)
  return canaries.length === configs.length ? canaries : null
}

function buildValues (values: CanaryConfig['values']): ReadonlySet<string> | RegExp | null {
  if (values === undefined) return null
  if (Array.isArray(values)) return new Set(values.map((value) => value.trim().toLowerCase()))
  // 'g' and 'y' would make one request's match depend on another's.
  return new RegExp(values.source, values.flags.replace(/[gyi]/g, '') + 'i')
}

function buildSticky (sticky: CanaryConfig['sticky']): Canary['sticky'] {
  if (sticky === undefined) return null
  if (typeof sticky === 'function') return named('canary.sticky', 'select', sticky)
  if ('cookie' in sticky) return (request) => readCookie(request.headers.cookie, sticky.cookie) ?? undefined
  const name = sticky.header.toLowerCase()
  return (request) => request.headers[name]
}

/** Timeouts that were written, and cannot all be meant: the later ones would never be reached, or always. */
function checkTimeouts ({ total = 0, head = 0, attempt = 0 }: TimeoutOptions, upstream: Upstream | null, where: string, problems: Problem[]): void {
  if (total === 0) return
  const path = join(where, 'timeouts')
  if (attempt > total) problems.push({ path: join(path, 'attempt'), message: `is ${attempt} ms, more than the total of ${total} ms` })
  if (head === 0) return
  const connect = upstream === null ? undefined : writtenConnectTimeouts.get(upstream)
  if (connect === undefined) {
    if (head > total) problems.push({ path: join(path, 'head'), message: `is ${head} ms, more than the total of ${total} ms` })
  } else if (total < connect + head) {
    const message = `is ${total} ms, less than connecting (${connect} ms) and waiting for the head (${head} ms) may take; raise it, or lower ` +
      'timeouts.head or pool.connectTimeout'
    problems.push({ path: join(path, 'total'), message })
  }
}

function checkRetry ({ retry, written: { timeouts } }: RouteConfig['behaviour'], where: string, problems: Problem[]): void {
  const fault = retry === false ? null : findRetryFault(retry, timeouts)
  if (fault !== null) problems.push({ path: join(join(where, 'retry'), fault.key), message: fault.message })
}

function buildTimeouts (timeouts: Required<TimeoutOptions>): Route['timeouts'] {
  const bound = (milliseconds: number): number => milliseconds === 0 ? Infinity : milliseconds
  return Object.freeze({
    head: bound(timeouts.head),
    idle: bound(timeouts.idle),
    total: bound(timeouts.total),
    attempt: bound(timeouts.attempt),
    write: bound(timeouts.write)
  })
}
