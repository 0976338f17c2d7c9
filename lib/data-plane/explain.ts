import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import type { ExplainedCanary, ExplainedEndpoint, Explanation, ImaginedRequest } from '../../types/explanation.ts'
import type { Attempt, Canary, Endpoint, ProxyErrorLike, Route, Upstream } from '../../types/model.ts'
import type { RequestHead, ResponseHead } from '../../types/options.ts'
import { ProxyExchange } from '../model/exchange.ts'
import { urlOn } from '../model/origin.ts'
import { chooseVariant, stickyKey } from './canary.ts'
import { readCookie } from './cookie.ts'
import { type Gate, isRestarted, rewritePath } from './entry.ts'
import { imagineRaw, imagineReply, imagineRequest } from './imagined.ts'
import { noneAvailable } from './limit/choose.ts'
import { parseTarget } from './path-policy.ts'
import type { RouteLookup, Routed } from './route-lookup.ts'
import { findFault } from './strictness.ts'
import { receivedFields, transformHead } from './request-head.ts'
import { aimReferences, findReferences } from './transform/references.ts'
import { readTrace, writeTrace } from './transform/trace-context.ts'
import { proxyError, toProxyError } from '../errors.ts'

/** Of a route: what says nothing by itself, or is told elsewhere in the explanation. */
const notPolicies = new Set(['id', 'url', 'upstream', 'canaries', 'path', 'requestTransforms', 'responseTransforms', 'localResponseTransforms', 'trust', 'owned', 'hasTwoNames'])

/**
 * Goes the way of a request with one that nobody made: the same functions in the same order, down to the point where an endpoint would
 * be picked, which balancers count. Sends nothing, counts nothing, runs no hook of the app's.
 */
export function explain (gate: Gate, lookup: RouteLookup, log: FastifyBaseLogger, imagined: ImaginedRequest): Explanation {
  const { snapshot } = gate
  if (snapshot === null) throw new Error('the app is not ready: nothing is routed yet')
  if (typeof imagined.url !== 'string') throw new TypeError('explain() has to be given a url')
  const raw = imagineRaw(imagined)
  const found = lookup.find(raw as Routed)
  const none: Explanation = {
    method: raw.method!,
    url: raw.url!,
    route: null,
    elsewhere: found === null ? null : found.route.url,
    refusal: null,
    variant: null,
    variantReason: null,
    canaries: [],
    upstream: null,
    endpoints: [],
    request: null,
    response: null,
    policies: {},
    problems: []
  }
  const id = found === null ? null : found.route.id
  const route = id === null ? undefined : snapshot.routes.get(id)
  if (route === undefined) return none

  const request = imagineRequest(raw, found!, log, imagined.request ?? {})
  const exchange = new ProxyExchange(request, imagineReply(request), route, gate.tools.now())
  Object.assign(request, { proxy: exchange })
  exchange.isShownOtherwise = found!.isShownOtherwise
  const problems: string[] = []
  const shaped: Explanation = {
    ...none,
    route: { id: route.id, url: route.url, params: found!.params },
    elsewhere: null,
    canaries: (route.canaries ?? []).map((canary) => describeCanary(canary, request, problems)),
    policies: {}
  }
  let head: RequestHead | null = null
  let refusal: ProxyErrorLike | null = null
  try {
    choose(gate, exchange)
    if (route.hasTwoNames) findReferences(exchange, exchange.method, gate.guards)
    head = shapeRequest(exchange)
    if (exchange.upstream.state.available.length === 0) throw noneAvailable(exchange.upstream.state)
  } catch (error) {
    refusal = toProxyError(error, 'select')
    if (refusal.error === 'internal_error') problems.push(messageOf(refusal))
  }
  const { limits } = exchange.upstream
  return {
    ...shaped,
    refusal: refusal === null ? null : { status: refusal.statusCode, error: refusal.error, reason: reasonOf(refusal) },
    variant: exchange.variant,
    variantReason: exchange.variantReason,
    canaries: shaped.canaries.map((canary) => ({ ...canary, isChosen: canary.name === exchange.canary?.name })),
    upstream: exchange.upstream.name,
    policies: { ...policiesOf(route), limits: plain({ ...limits, queueTimeout: Math.min(limits.queueTimeout, route.timeouts.total) }) },
    endpoints: describeEndpoints(exchange.upstream, head?.path ?? '', gate.tools.now()),
    request: head === null ? null : aimed(head, exchange),
    response: shapeResponse(exchange, problems),
    // A sticky key is read twice: to be told, and to decide.
    problems: [...new Set(problems)]
  }
}

/** As openExchange and forwardExchange do. */
function choose (gate: Gate, exchange: ProxyExchange): void {
  const { request, route } = exchange
  if (route.trace !== false) {
    exchange.isTraceRestarted = isRestarted(route, request)
    exchange.trace = readTrace(request.headers, route.trace, exchange.isTraceRestarted)
  }
  const fault = findFault(request.raw)
  if (fault !== null) throw proxyError('http_request_error', 'select', new Error(fault.reason))
  const target = parseTarget(request.raw.url!, request.method, route.encodedSlashes)
  if (target === null) throw proxyError('http_request_error', 'select', new Error('the request target is not one that can be forwarded'))
  exchange.path = target.path
  exchange.query = target.query
  gate.guards?.check(exchange, target.hasTwoReadings)
  if (route.canaries === null) return
  const before = route.canaries.map(({ fallbacks }) => fallbacks)
  try {
    chooseVariant(exchange, route.canaries, gate.tools)
  } finally {
    // Nobody fell back: nobody was there.
    for (const [index, canary] of route.canaries.entries()) canary.fallbacks = before[index]!
  }
}

/** As the forwarder's step 2 does, with ids of our own in the place of an SDK's span. */
function shapeRequest (exchange: ProxyExchange): RequestHead {
  const head: RequestHead = { method: exchange.method, path: rewritePath(exchange), headers: receivedFields(exchange) }
  writeTrace(exchange, head.headers, 1)
  transformHead(exchange, head)
  return head
}

function aimed (head: RequestHead, exchange: ProxyExchange): RequestHead {
  const { endpoints, available } = exchange.upstream.state
  const endpoint = available[0] ?? endpoints[0]
  if (endpoint === undefined) return head
  const headers = exchange.hostFollowsEndpoint ? { ...head.headers, host: endpoint.host } : head.headers
  if (exchange.references !== null) aimReferences(exchange.references, headers, endpoint)
  return { ...head, path: endpoint.basePath + head.path, headers }
}

function shapeResponse (exchange: ProxyExchange, problems: string[]): ResponseHead | null {
  const endpoint = exchange.upstream.state.endpoints[0]
  if (endpoint === undefined) return null
  const head: ResponseHead = { statusCode: 200, headers: {} }
  const at = exchange.startedAt
  exchange.last = {
    exchange,
    upstream: exchange.upstream,
    endpoint,
    number: 1,
    previous: null,
    startedAt: at,
    sentAt: at,
    writtenAt: at,
    connectTime: 0,
    headAt: at,
    endedAt: at,
    statusCode: 200,
    reused: true,
    idleTime: 0,
    isProbe: false,
    isJudged: false,
    error: null
  } satisfies Attempt
  try {
    for (const transform of exchange.route.responseTransforms) transform.apply(head, exchange)
    return head
  } catch (error) {
    problems.push(messageOf(error))
    return null
  }
}

function describeCanary (canary: Canary, request: FastifyRequest, problems: string[]): ExplainedCanary {
  let key: string | null = null
  try {
    key = stickyKey(canary, request) ?? null
  } catch (error) {
    problems.push(messageOf(error))
  }
  const sent = canary.header === null ? undefined : request.headers[canary.header]
  return {
    name: canary.name,
    upstream: canary.upstream.name,
    weight: canary.weight,
    threshold: canary.threshold,
    isChosen: false,
    header: sent === undefined ? null : String(sent),
    cookie: canary.cookie === null ? null : readCookie(request.headers.cookie, canary.cookie),
    stickyKey: key,
    isAvailable: canary.upstream.state.available.length > 0
  }
}

function describeEndpoints ({ state }: Upstream, path: string, now: number): ExplainedEndpoint[] {
  return state.endpoints.map((endpoint) => {
    const isAvailable = state.available.includes(endpoint)
    return {
      url: urlOn(endpoint.origin, endpoint.basePath + path),
      origin: endpoint.origin,
      weight: endpoint.weight,
      active: endpoint.active,
      health: endpoint.health,
      breaker: endpoint.breaker,
      ejectedFor: Math.max(0, endpoint.ejectedUntil - now),
      isAvailable,
      reason: isAvailable ? null : whyNot(endpoint, now)
    }
  })
}

function whyNot ({ baseWeight, breaker, ejectedUntil, health }: Endpoint, now: number): ExplainedEndpoint['reason'] {
  if (baseWeight === 0) return 'weight 0'
  if (breaker === 'open') return 'breaker'
  if (ejectedUntil > now) return 'ejected'
  return health === 'unhealthy' ? 'unhealthy' : 'others are preferred'
}

/** All that the route says and nobody asked about: what is added to it later is told without a change here. */
function policiesOf (route: Route): Record<string, unknown> {
  return Object.fromEntries(Object.entries(route).filter(([name]) => !notPolicies.has(name)).map(([name, value]) => [name, plain(value)]))
}

function plain (value: unknown): unknown {
  if (value === Infinity) return null
  if (value instanceof RegExp) return String(value)
  if (value instanceof Set) return [...value].map(plain)
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  // A policy that was made of options says best by them what it does.
  if ('options' in value) return plain(value.options)
  return Object.fromEntries(Object.entries(value).filter(([, part]) => typeof part !== 'function').map(([name, part]) => [name, plain(part)]))
}

/** What the log would have: the client is told less. */
function reasonOf (error: ProxyErrorLike): string {
  return error.cause instanceof Error ? error.cause.message : error.message
}

function messageOf (error: unknown): string {
  return reasonOf(toProxyError(error, 'select'))
}
