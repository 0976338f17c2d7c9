import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Attempt, Endpoint, EndpointPool, Exchange, Route, Upstream } from '../../types/model.ts'
import type { Tools } from '../../types/policy.ts'
import { AnyPath } from '../../lib/data-plane/route-path.ts'
import { roundRobin } from '../../lib/data-plane/balancer/round-robin.ts'
import { ProxyEndpoint } from '../../lib/model/endpoint.ts'
import { readOrigin } from '../../lib/model/origin.ts'
import { ProxyExchange } from '../../lib/model/exchange.ts'
import { ProxyUpstream } from '../../lib/model/upstream.ts'

/*
 * Things of the model for tests without sockets. Requests and replies are plain objects with the fields that the module under
 * test reads; whatever else it should come to read is undefined, and the test says so.
 */

export interface RequestFields {
  method?: string
  headers?: IncomingHttpHeaders
  httpVersion?: string
  url?: string
  remoteAddress?: string | undefined
  protocol?: string
  host?: string
  ips?: string[]
  params?: Record<string, string>
  id?: string
  log?: object
}

export function requestWith (fields: RequestFields = {}): FastifyRequest {
  const { httpVersion = '1.1', url = '/', headers = {}, ...rest } = fields
  const [major, minor] = httpVersion.split('.').map(Number)
  const socket = { remoteAddress: 'remoteAddress' in fields ? fields.remoteAddress : '192.0.2.7' }
  return {
    method: 'GET',
    protocol: 'http',
    host: 'shop.example',
    params: {},
    headers,
    raw: { httpVersion, httpVersionMajor: major, httpVersionMinor: minor, url, headers, socket },
    ...rest
  } as unknown as FastifyRequest
}

export interface EndpointFields {
  weight?: number
  priority?: number
  host?: string
  servername?: string
  active?: number
}

export function endpointAt (url: string, { weight = 1, priority = 0, host, servername, active = 0 }: EndpointFields = {}): Endpoint {
  const settings = { weight, host: host ?? null, servername: servername ?? null, connections: 128, connectTimeout: 5000, priority }
  const endpoint = new ProxyEndpoint(readOrigin(url), settings, {} as EndpointPool)
  endpoint.active = active
  return endpoint
}

/** All of its endpoints are available, unless told otherwise. */
export function upstreamOf (name: string, endpoints: readonly Endpoint[], available: readonly Endpoint[] = endpoints): Upstream {
  return new ProxyUpstream(name, { endpoints, available, tiers: null, isPanic: false, balancer: roundRobin.create({}, still()), observers: [] })
}

export function routeTo (upstream: Upstream, fields: Partial<Route> = {}): Route {
  return {
    id: '/*',
    url: '/*',
    upstream,
    canaries: null,
    timeouts: { head: Infinity, idle: Infinity, total: Infinity, attempt: Infinity, write: Infinity },
    retry: null,
    replay: 0,
    deadlineHeader: null,
    encodedSlashes: 'forward',
    ambiguousPaths: 'reject',
    path: new AnyPath(),
    owned: null,
    requestTransforms: [],
    responseTransforms: [],
    localResponseTransforms: null,
    trace: 'participate',
    trust: null,
    slow: 200,
    bodyLimit: 0,
    responseLimit: Infinity,
    rewrite: null,
    pseudonym: 'sluice',
    websocket: null,
    ...fields
  }
}

export interface ExchangeFields extends RequestFields {
  route?: Partial<Route>
  reply?: object
  startedAt?: number
}

/** An exchange of a route to `orders`, which is one endpoint at http://10.0.0.1:3000. */
export function exchangeWith ({ route = {}, reply = {}, startedAt = 0, ...request }: ExchangeFields = {}): ProxyExchange {
  const upstream = upstreamOf('orders', [endpointAt('http://10.0.0.1:3000')])
  return new ProxyExchange(requestWith(request), reply as FastifyReply, routeTo(upstream, route), startedAt)
}

export function attemptOf (exchange: Exchange, fields: Partial<Attempt> = {}): Attempt {
  return {
    exchange,
    upstream: exchange.upstream,
    endpoint: exchange.upstream.state.endpoints[0]!,
    number: 1,
    previous: null,
    startedAt: 0,
    sentAt: 0,
    // As of a request without a body.
    writtenAt: fields.sentAt ?? 0,
    connectTime: 0,
    headAt: 0,
    endedAt: 0,
    statusCode: 0,
    reused: false,
    idleTime: 0,
    isProbe: false,
    isJudged: false,
    error: null,
    ...fields
  }
}

/** Tools of a world in which nothing happens; for a test to change what it needs. */
export function still (tools: Partial<Tools> = {}): Tools {
  return { now: () => 0, random: () => 0, ...tools }
}

/** A Math.random that gives the same numbers in every run (mulberry32), so that shares can be counted and no run is unlucky. */
export function seeded (seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let hash = Math.imul(state ^ (state >>> 15), state | 1)
    hash = (hash + Math.imul(hash ^ (hash >>> 7), hash | 61)) ^ hash
    return ((hash ^ (hash >>> 14)) >>> 0) / 2 ** 32
  }
}
