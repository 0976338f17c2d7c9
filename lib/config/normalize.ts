import type { Problem } from '../../types/control.ts'
import type { OptionSchema } from '../../types/policy.ts'
import type { HealthConfig } from '../control-plane/health/index.ts'
import type { OutlierConfig } from '../control-plane/outlier/index.ts'
import type { BalancerConfig } from '../data-plane/balancer/index.ts'
import type {
  AdHocOptions, BodyOptions, CanaryOptions, CookieOptions, HeaderEdits, ResponseHeaderEdits, RouteBehaviour, TimeoutOptions,
  UpstreamOptions, WebSocketOptions
} from '../../types/options.ts'
import { copyOptions, freeze, isPlain, type Plain } from './plain.ts'
import { defaultsSchema, fastifyRouteKeys, oneLineSchema, registerKeys, registrationSchema, routeSchema, upstreamSchema } from './schema.ts'
import { completeHealth, completeOutlier, completePool, completeRetry, completeTimeouts } from './complete.ts'
import { checkCookies, checkRewrite, settleWebSocket } from './route-policies.ts'
import { checkUpstream } from './upstream-policies.ts'
import type { BreakerConfig } from '../data-plane/breaker/index.ts'
import type { LimitConfig } from '../data-plane/limit/index.ts'
import type { PoolConfig } from '../data-plane/pool/index.ts'
import type { RetryConfig } from '../data-plane/retry/index.ts'
import { readOrigin } from '../model/origin.ts'
import { canonicalUrl, isUrl, join, unknownKey, validate } from './validate.ts'

export interface EndpointConfig {
  readonly origin: string
  readonly weight: number
  readonly priority: number
  readonly host?: string
}

export interface UpstreamConfig {
  readonly name: string
  readonly endpoints: readonly EndpointConfig[]
  readonly balancer: BalancerConfig
  readonly breaker: false | BreakerConfig
  readonly limits: LimitConfig
  readonly pool: PoolConfig
  readonly health: false | HealthConfig
  readonly outlier: false | OutlierConfig
  readonly slowStart: number
  /** As the user wrote it, without defaults. */
  readonly written: { readonly connectTimeout?: number | undefined }
  /** Where it was written, for later problems. */
  readonly where: string
}

export type CanaryConfig = CanaryOptions & Required<Pick<CanaryOptions, 'weight' | 'onEmpty' | 'fallback'>>

/** A route's behaviour with every default in place. */
export interface BehaviourConfig extends Omit<RouteBehaviour, 'canary' | 'canaries' | 'timeouts' | 'headers' | 'body' | 'websocket' | 'retry'> {
  readonly canaries: readonly CanaryConfig[]
  readonly headers: { readonly request?: HeaderEdits, readonly response?: ResponseHeaderEdits }
  readonly timeouts: Required<TimeoutOptions>
  /** As the user wrote them on the route or under `defaults`. */
  readonly written: { readonly timeouts: TimeoutOptions }
  readonly body: BodyOptions & Required<Pick<BodyOptions, 'replay'>>
  readonly retry: RetryConfig | false
  readonly forwardDeadline: boolean | string
  readonly host: string
  readonly forwarded: false | 'x-forwarded' | 'forwarded' | 'both'
  readonly via: false | string
  readonly location: boolean
  readonly trace: 'participate' | 'passthrough' | 'restart' | false
  readonly encodedSlashes: 'forward' | 'reject'
  readonly ambiguousPaths?: 'forward' | 'reject'
  readonly expose: boolean
  readonly slow: number
  readonly websocket: false | WebSocketConfig
}

export type WebSocketConfig = WebSocketOptions & Required<Pick<WebSocketOptions, 'idleTimeout'>>

export interface RouteConfig {
  readonly url: string
  /** null: every method. */
  readonly methods: readonly string[] | null
  readonly upstream: string
  /** One-line form: what replaces the mounted prefix; null where the path is sent as received or rewritten by a template. */
  readonly rewritePrefix: string | null
  readonly behaviour: BehaviourConfig
  /** Fastify's own route options, as the user wrote them. */
  readonly fastify: Readonly<Record<string, unknown>>
  readonly where: string
}

export interface RegistrationConfig {
  readonly prefix: string
  readonly metrics: boolean
  /** null: `reply.proxy` takes no URL that is not configured. */
  readonly adHoc: Required<AdHocOptions> | null
  readonly upstreams: readonly UpstreamConfig[]
  /** Names of upstreams of which the problems tell: whoever uses one has done nothing wrong. */
  readonly faulty: readonly string[]
  /** URLs, in their one form, that are configured without an upstream of their own: the one-line form names the origin alone. */
  readonly urls: readonly string[]
  readonly routes: readonly RouteConfig[]
}

/** Options → config: sugar resolved, defaults filled in, frozen. The user's objects are never written to. */
export function normalize (options: unknown, problems: Problem[]): RegistrationConfig {
  if (!isPlain(options)) {
    problems.push({ path: 'options', message: 'must be an object' })
    return freeze({ prefix: '', metrics: true, adHoc: null, upstreams: [], faulty: [], urls: [], routes: [] })
  }
  const isOneLine = 'upstream' in options
  const { own, route } = split(options, isOneLine, problems)
  // What is wrong here is no reason to keep quiet about the rest.
  validate(registrationSchema, own, '', problems)

  const prefix = typeof own['prefix'] === 'string' ? own['prefix'].replace(/\/$/, '') : ''
  const upstreams: UpstreamConfig[] = []
  const faulty: string[] = []
  for (const [name, value] of Object.entries(isPlain(own['upstreams']) ? own['upstreams'] : {})) {
    const upstream = normalizeUpstream(name, value, join('upstreams', name), problems)
    if (upstream === null) faulty.push(name)
    else upstreams.push(upstream)
  }

  const given = own['defaults'] === undefined ? {} : copyOptions(own['defaults'])
  expandRewrite(given)
  // Faulty ones are told of once, not again for each route.
  const defaults = validate(defaultsSchema, given, 'defaults', problems) ? given as Plain : {}
  const forAll: Plain = {}
  for (const key of registerKeys) {
    if (own[key] !== undefined) forAll[key] = own[key]
  }

  const routes: RouteConfig[] = []
  for (const [index, value] of (Array.isArray(own['routes']) ? own['routes'] : []).entries()) {
    const config = normalizeRoute(isPlain(value) ? { ...forAll, ...value } : value, defaults, `routes[${index}]`, problems)
    if (config !== null) routes.push(config)
  }
  if (isOneLine) {
    const parameter = prefix.match(/\/:\w+/g)?.find((name) => String(route['rewritePrefix']).includes(name))
    // As @fastify/http-proxy would fill it in; sent upstream as it is, it would be noticed there at best.
    if (parameter !== undefined) problems.push({ path: 'rewritePrefix', message: `has no parameters such as '${parameter}'; \`rewrite\` has: '${String(route['rewritePrefix']).replace(/\/$/, '')}/*'` })
    const config = normalizeOneLine({ ...forAll, ...route }, defaults, upstreams, problems)
    if (config !== null) routes.push(config)
  }
  const urls = isUrl(route['upstream']) ? [canonicalUrl(route['upstream'] as string)] : []
  const adHoc = isPlain(own['adHoc']) ? own['adHoc'] as unknown as Required<AdHocOptions> : null
  return freeze({ prefix, metrics: own['metrics'] !== false, adHoc, upstreams, faulty, urls, routes })
}

/** In the one-line form a registration and its only route share one object. */
function split (typed: Plain, isOneLine: boolean, problems: Problem[]): { own: Plain, route: Plain } {
  const own: Plain = {}
  const route: Plain = {}
  const ownKeys = Object.keys(registrationSchema['properties'] as object)
  const routeKeys = Object.keys(oneLineSchema['properties'] as object).filter((key) => key !== 'url').concat(fastifyRouteKeys)
  for (const [key, value] of Object.entries(typed)) {
    if (value === undefined) continue
    // Defaults are written into it.
    if (key === 'adHoc') own[key] = copyOptions(value)
    else if (ownKeys.includes(key)) own[key] = value
    else if (isOneLine && routeKeys.includes(key)) route[key] = value
    else if (routeKeys.includes(key)) problems.push({ path: key, message: 'belongs to a route, to `defaults`, or to the one-line form with `upstream`' })
    else problems.push({ path: join('', key), message: unknownKey(key, isOneLine ? [...ownKeys, ...routeKeys] : [...ownKeys, 'upstream', 'rewritePrefix']) })
  }
  return { own, route }
}

function normalizeOneLine (route: Plain, defaults: Plain, upstreams: UpstreamConfig[], problems: Problem[]): RouteConfig | null {
  const given = route['upstream']
  let upstream = given
  let rewritePrefix: unknown = route['rewritePrefix'] ?? '/'
  if (isPlain(given)) {
    const config = normalizeUpstream('', given, 'upstream', problems)
    if (config === null) return null
    upstream = config.endpoints[0]!.origin
    upstreams.push({ ...config, name: upstream as string })
  } else if (isUrl(given)) {
    // The path of the URL is what replaces the prefix, not something in front of it.
    const { text, path } = readOrigin(given as string)
    upstream = text
    rewritePrefix = route['rewritePrefix'] ?? path
  }
  if ('rewrite' in route && 'rewritePrefix' in route) problems.push({ path: 'rewritePrefix', message: 'cannot be given together with `rewrite`' })
  if ('rewrite' in route || 'rewrite' in defaults) rewritePrefix = undefined
  return normalizeRoute({ ...route, url: '/*', upstream, rewritePrefix }, defaults, '', problems, oneLineSchema)
}

export function normalizeUpstream (name: string, value: unknown, where: string, problems: Problem[]): UpstreamConfig | null {
  let full: unknown = copyOptions(value)
  if (typeof full === 'string' || Array.isArray(full)) full = { endpoints: [full].flat() }
  if (isPlain(full) && Array.isArray(full['endpoints'])) {
    full['endpoints'] = full['endpoints'].map((endpoint: unknown) => typeof endpoint === 'string' ? { origin: endpoint } : endpoint)
  }
  const written = copyOptions(full) as UpstreamOptions
  if (!validate(upstreamSchema, full, where, problems)) return null
  const config = { ...(full as Omit<UpstreamConfig, 'name' | 'where' | 'written'>), written: { connectTimeout: written.pool?.connectTimeout }, name, where }
  config.pool = completePool(config.pool, written.pool)
  config.health = completeHealth(config.health)
  config.outlier = completeOutlier(config.outlier, written.outlier)
  return checkUpstream(config, where, problems) ? freeze(config) : null
}

export function normalizeRoute (value: unknown, defaults: Plain, where: string, problems: Problem[], schema: OptionSchema = routeSchema): RouteConfig | null {
  if (!isPlain(value)) {
    problems.push({ path: where, message: 'must be an object' })
    return null
  }
  const fastify: Plain = {}
  const own: Plain = {}
  for (const [key, item] of Object.entries(value)) {
    if (item === undefined) continue
    if (fastifyRouteKeys.includes(key)) fastify[key] = item
    else own[key] = copyOptions(item)
  }
  if ('handler' in own) {
    problems.push({ path: join(where, 'handler'), message: 'is the proxy itself; answer from a route of your own with `reply.proxy()` instead' })
    delete own['handler']
  }
  const merged = merge(copyOptions(defaults) as Plain, own)
  expandRewrite(merged)
  settleWebSocket(own, merged, where, problems)
  const written = copyOptions(merged) as RouteBehaviour
  if (!validate(schema, merged, where, problems)) return null

  const { url, method, upstream, rewritePrefix, ...behaviour } = merged
  const methods = method === undefined ? null : [method as string | string[]].flat().map((name) => name.toUpperCase())
  return freeze({
    url: url as string,
    methods,
    upstream: upstream as string,
    rewritePrefix: (rewritePrefix as string | undefined) ?? null,
    behaviour: normalizeBehaviour(behaviour, written, where, problems),
    fastify,
    where
  })
}

/**
 * The rest of a route after `validate` has filled in the defaults.
 * @param written the same before
 */
export function normalizeBehaviour (behaviour: Plain, written: RouteBehaviour, where: string, problems: Problem[]): BehaviourConfig {
  const { canary, canaries, headers, ...rest } = behaviour
  const { timeouts = {} } = written
  const retry = completeRetry(rest['retry'] as RetryConfig | false, written.retry)
  if (canary !== undefined && canaries !== undefined) problems.push({ path: join(where, 'canary'), message: 'give either `canary` or `canaries`' })
  if (rest['body'] !== undefined) checkRewrite(rest['body'] as BodyOptions, join(where, 'body'), problems)
  if (rest['cookies'] !== undefined) checkCookies(rest['cookies'] as CookieOptions, join(where, 'cookies'), problems)
  return {
    ...(rest as Omit<BehaviourConfig, 'canaries' | 'headers' | 'written'>),
    retry,
    timeouts: completeTimeouts(rest['timeouts'] as BehaviourConfig['timeouts'], timeouts, retry),
    written: { timeouts },
    canaries: (canaries ?? (canary === undefined ? [] : [canary])) as CanaryConfig[],
    headers: (headers ?? {}) as BehaviourConfig['headers']
  }
}

/** A function and a list of replacements are short for an object. */
export function expandRewrite (behaviour: unknown): void {
  const body = isPlain(behaviour) ? behaviour['body'] : undefined
  if (!isPlain(body)) return
  const { rewrite } = body
  if (typeof rewrite === 'function') body['rewrite'] = { whole: rewrite }
  else if (Array.isArray(rewrite)) body['rewrite'] = { replace: rewrite }
}

/** A route's own words over the registration's `defaults`: groups such as `timeouts` are merged key by key, lists are replaced. */
function merge (defaults: Plain, own: Plain): Plain {
  const result = { ...defaults }
  for (const [key, value] of Object.entries(own)) {
    const below = result[key]
    const isGroup = key === 'timeouts' || key === 'retry' || key === 'budget' || key === 'backoff' || key === 'body' || key === 'cookies' || key === 'headers' || key === 'request' || key === 'response' || key === 'set' || key === 'append'
    result[key] = isGroup && isPlain(value) && isPlain(below) ? merge(below, value) : value
  }
  // One of the two replaces the other.
  if ('canary' in own && !('canaries' in own)) delete result['canaries']
  if ('canaries' in own && !('canary' in own)) delete result['canary']
  if ('rewriteJson' in own && !('rewrite' in own)) delete result['rewrite']
  if ('rewrite' in own) delete result['rewriteJson']
  if ('rewriteJson' in own) result['rewriteJson'] = own['rewriteJson']
  return result
}
