import type { Duplex } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Dispatcher } from 'undici'
import type { Balancer, ConnectionObserver, Observer, RetryPolicy, Transform } from './policy.ts'
import type { BodyFunction, CallerKey, RequestHead, ResponseHead } from './options.ts'

/*
 * Who may write what. Everything else is written by nobody after construction.
 *
 * field                              written by                                    read by
 * gateway.snapshot                   gateway, when it is built                     entry, once per exchange
 * upstream.state                     control plane, when something changed         forwarder, once per attempt
 * endpoint.active                    attempt                                       balancers, drain
 * endpoint.tunnels                   tunnel                                        forwarder, stats
 * upstream.load                      forwarder, retry policy                       retry policy, stats
 * endpoint.isFaltering               retry policy, forwarder                       retry policy
 * endpoint.health, .ejectedUntil     health checks, ejector                        availability
 * endpoint.weight                    slow start                                    balancers
 * endpoint.breaker, .breakerSince,   breaker                                       availability, choice of an endpoint
 *   .failures, .refusals, .passed
 * endpoint.probing, .probedAt        attempt, breaker                              choice of an endpoint
 * upstream.refresh                   monitor, when it is made                      breaker
 * canary.weight, .threshold          setCanary                                     canary choice, once per exchange
 * canary.fallbacks                   canary choice                                 stats
 * exchange.*, attempt.*              entry, forwarder, attempt                     transforms, observers
 */

/** All routes and upstreams of one revision. Replaced whole, never changed. */
export interface Snapshot {
  readonly revision: number
  readonly upstreams: ReadonlyMap<string, Upstream>
  readonly routes: ReadonlyMap<string, Route>
}

/** What matches, where it goes, how it is shaped. Null means: not configured, costs nothing. */
export interface Route {
  /** The full url, after its methods when it does not take all of them: `/orders/*`, `GET /users/:id`. */
  readonly id: string
  /** The full Fastify url, prefix included. */
  readonly url: string
  /** Where exchanges go unless a canary says otherwise. */
  readonly upstream: Upstream
  readonly canaries: readonly Canary[] | null
  readonly timeouts: Timeouts
  /** null: every failure is the last. */
  readonly retry: RetryPolicy | null
  /** Bytes of a request body that are kept to be sent again; 0 for none. */
  readonly replay: number
  /** Lower-cased name of the header that tells the upstream how many milliseconds are left; null for none. */
  readonly deadlineHeader: string | null
  readonly encodedSlashes: 'forward' | 'reject'
  readonly ambiguousPaths: 'forward' | 'reject'
  /** True where each path of the route has a name on either side, which `location` maps. */
  readonly hasTwoNames: boolean
  /** Checks the raw path against the url and gives the path to send; null where it is sent as received. */
  readonly path: PathRewrite
  /** Fields of the client's that are not its own to say, by every spelling. */
  readonly owned: OwnedFields | null
  /** In the order they are applied. */
  readonly requestTransforms: readonly Transform<RequestHead>[]
  readonly responseTransforms: readonly Transform<ResponseHead>[]
  /** Response edits for answers that no upstream made; null unless `when` asks for them. */
  readonly localResponseTransforms: readonly Transform<ResponseHead>[] | null
  readonly trace: 'participate' | 'passthrough' | 'restart' | false
  readonly trust: ((request: FastifyRequest) => boolean) | null
  /** Milliseconds from which on an exchange counts as slow. */
  readonly slow: number
  /** Bytes; 0 means no limit. `body.requestLimit`, or the route's own Fastify `bodyLimit`, which Fastify does not apply to streams. */
  readonly bodyLimit: number
  /** Bytes; Infinity means no limit. */
  readonly responseLimit: number
  /** What is done to the bodies of responses. */
  readonly rewrite: RewritePlan | null
  /** Our name in Via and Proxy-Status. */
  readonly pseudonym: string
  /** null where a WebSocket handshake is a request like any other. */
  readonly websocket: WebSocketPolicy | null
}

/** Names of fields that the gateway sends or removes; names that it is asked about are in lower case. */
export interface OwnedFields {
  /** Whether an owned field may be meant, in any spelling. */
  has (name: string): boolean
  /** Whether an owned field may be meant, and this is not its own name. */
  isMisspelt (name: string): boolean
}

export interface WebSocketPolicy {
  /** Whether the raw path is one of this route's. */
  owns (path: string): boolean
  /** null: every origin. */
  readonly isAllowed: ((origin: string | undefined) => boolean) | null
  /** Milliseconds; Infinity means off. */
  readonly idleTimeout: number
}

/** What `body.rewrite` and `body.rewriteJson` come to. At least one of `whole` and `stream` is there. */
export interface RewritePlan {
  /** Media types that it is for, lower case, perhaps with one `*`; '' is a body of no type. null: every body. */
  readonly types: readonly string[] | null
  readonly whole: BodyFunction | null
  readonly stream: ((exchange: Exchange, head: Readonly<ResponseHead>) => Duplex) | null
  /** Whether a body that did not come whole with its head is not waited for. */
  readonly prefersStream: boolean
  /** Bytes, decoded, up to which a body is taken whole. */
  readonly limit: number
}

export interface PathRewrite {
  /** The path to send, without query, or null when the raw path is not one that this route stands for. */
  rewrite (path: string, request: FastifyRequest): string | null
}

/** Milliseconds; Infinity means off. */
export interface Timeouts {
  readonly head: number
  readonly idle: number
  readonly total: number
  readonly attempt: number
  readonly write: number
}

/** A named group of interchangeable endpoints. The identity outlives reloads; its state is replaced. */
export interface Upstream {
  readonly name: string
  /** Its name in metrics; one for all that `reply.proxy` names by URL. */
  readonly label: string
  /** Read once per attempt. */
  state: UpstreamState
  readonly limits: Limits
  readonly load: Load
  /** Whoever is told when more may be available than before; null while no exchange waits for that. */
  waker: { wake (upstream: Upstream): void } | null
  /** Works out anew which endpoints are available; for whoever changed what that depends on (an endpoint's `breaker`). */
  refresh: () => void
}

/** The most that an upstream is given. */
export interface Limits {
  readonly active: number
  readonly pending: number
  /** Milliseconds. */
  readonly queueTimeout: number
}

/** What an upstream has to do now. Plain numbers, as an endpoint's. */
export interface Load {
  /** Attempts under way, to the last byte. */
  active: number
  /** Exchanges that wait for one of its endpoints. */
  pending: number
  /** Exchanges that are being tried again, from the decision to the end of the attempt. */
  retrying: number
  /** Retries in hand; below zero they are borrowed. See data-plane/retry/budget.ts. */
  credit: number
  creditAt: number
}

export interface UpstreamState {
  /** All that the configuration names. */
  readonly endpoints: readonly Endpoint[]
  /** Those that may be picked now. */
  readonly available: readonly Endpoint[]
  /** How traffic is split over priorities; null where there is but one, or none is well. */
  readonly tiers: readonly Tier[] | null
  /** Whether none is well, and `available` is all of the first priority instead. */
  readonly isPanic: boolean
  readonly balancer: Balancer
  readonly observers: readonly Observer[]
}

/** The endpoints of one priority that are well. */
export interface Tier {
  readonly available: readonly Endpoint[]
  /** End of its share of the traffic, which begins at that of the tier before: 0.8 and 1 are 80 % and 20 %. */
  readonly upTo: number
}

/** The connections of an endpoint. Endpoints of several upstreams that agree in everything share one. */
export interface EndpointPool extends Dispatcher {
  /** HTTP/2 has no Upgrade (RFC 9113 8.6). */
  readonly cannotUpgrade?: true
  readonly connections: ConnectionCounts
  /** From now on, tells of each connection; once, however many endpoints an upstream has in this pool. */
  observe (observer: ConnectionObserver): void
  /**
   * Opens connections ahead until there are `count`; at least one, unless there is no room.
   * @returns whether the endpoint could be connected to. Never rejects
   */
  prewarm (count: number): Promise<boolean>
  /** Asks over a connection of its own. @returns the answer; rejects if none comes in time, or none that is HTTP */
  probe (probe: Probe): Promise<ProbeAnswer>
}

export interface ConnectionCounts {
  /** That carry a request. */
  readonly busy: number
  /** That have carried one and wait for the next. */
  readonly idle: number
  /** That wait for their first. */
  readonly warm: number
  /** That are being made. */
  readonly opening: number
}

/** A health check's request. */
export interface Probe {
  readonly method: 'GET' | 'HEAD'
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly servername: string | null
  /** Milliseconds for all of it. */
  readonly timeout: number
}

export interface ProbeAnswer {
  readonly statusCode: number
  /** Milliseconds from the start of the probe to the head of the answer. */
  readonly latency: number
}

/** One origin with its own pool. Plain numbers: one thread, no locks. */
export interface Endpoint {
  /** `scheme://host:port`, or `unix:` and a path. */
  readonly origin: string
  /** Its name in metrics: origin and base path; one for all that `reply.proxy` names by URL. */
  readonly label: string
  /** Value of the Host header. */
  readonly host: string
  /** The same where a request has to say it; null where it is that of the origin, which connections say by themselves. */
  readonly hostField: string | null
  /** Put in front of every path; '' for none. */
  readonly basePath: string
  /** As configured; 0 is never available. */
  readonly baseWeight: number
  /** Less while it starts slowly; with each change `available` is a new list. */
  weight: number
  /** Lower ones first. */
  readonly priority: number
  /** Name in SNI; null for plain text. */
  readonly servername: string | null
  /** Requests that it can be sent at once: one per connection, or with HTTP/2 a hundred. */
  readonly connections: number
  /** Milliseconds that a connection may take, TLS included. */
  readonly connectTimeout: number
  readonly pool: EndpointPool
  readonly seats: Seats
  /** Exchanges under way, from the choice of this endpoint to the last byte. */
  active: number
  /** Those of them that are tunnels. */
  tunnels: number
  health: 'unknown' | 'healthy' | 'unhealthy'
  /** On the clock of `performance.now()`; 0 when it is not ejected. */
  ejectedUntil: number
  /** In a row, as its breaker counts them; and of these, or beside them, those to connect. */
  failures: number
  refusals: number
  /** Requests at one time while its breaker is half-open, and as many that have to go well. */
  readonly probes: number
  /** Milliseconds after which a probe that is not judged keeps the next one out no longer. */
  readonly probeTimeout: number
  /** Probes under way that are not judged, when the last of them began, and how many have gone well. */
  probing: number
  probedAt: number
  passed: number
  /** Whether its last answer, or the lack of one, was such that somebody wanted another. */
  isFaltering: boolean
  /** `open` is never available, not even in panic. Who writes it calls `upstream.refresh()`. */
  breaker: 'closed' | 'open' | 'half-open'
  /** When it became that. */
  breakerSince: number
}

/** How much of a pool is in use; endpoints that share a pool share them. */
export interface Seats {
  /** Requests that it can carry at one time. */
  readonly limit: number
  readonly taken: number
  readonly isFull: boolean
  /** All are taken, and none is about to be free: whoever came now would wait for an answer. */
  readonly isSpent: boolean
  /** Upstreams with exchanges that wait for one; null while there is none. */
  waiting: Set<Upstream> | null
  take (): void
  /** Free with the next turn of the event loop. */
  leave (): void
  /** That turn has come. */
  settle (): void
}

export interface Canary {
  readonly name: string
  readonly upstream: Upstream
  readonly header: string | null
  readonly cookie: string | null
  readonly values: ReadonlySet<string> | RegExp | null
  readonly sticky: ((request: FastifyRequest) => CallerKey) | null
  readonly onEmpty: 'stable' | 'fail'
  readonly fallback: boolean
  /** Per cent, two decimals, of all requests that neither header nor cookie decided. */
  weight: number
  /** Per cent of those requests that no canary before it has taken: what is drawn. Worked out whenever a weight of the route changes. */
  threshold: number
  /** How often its upstream had no available endpoint and the stable side served instead. */
  fallbacks: number
}

export type CanaryReason = 'header' | 'cookie' | 'weight'

/** One client request and its response, from match to last byte. `request.proxy` */
export interface Exchange {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly route: Route
  /** Chosen once, after the route's hooks; the route's own until then. */
  readonly upstream: Upstream
  /** `stable`, or the name of the canary. */
  readonly variant: string
  /** What chose the canary; null on the stable side. */
  readonly variantReason: CanaryReason | null
  /** Milliseconds on the clock of `performance.now()`. */
  readonly startedAt: number
  /** When everything about it has to be over, on the same clock; Infinity where there is no total timeout. */
  readonly deadline: number
  /** Endpoints that have failed it, but for the last; null before there is one. */
  readonly tried: readonly Endpoint[] | null
  /** Attempts begun so far. */
  readonly attempts: number
  /** When the first of them began; 0 until then. */
  readonly attemptedAt: number
  /** Milliseconds in the upstream's own queue. */
  readonly queueTime: number
  readonly last: Attempt | null
  /** Endpoint of the last attempt. */
  readonly endpoint: Endpoint | null
  /** The word of the error table; null while nothing failed. */
  readonly error: ProxyErrorLike | null
  /** Set once the client is gone. */
  readonly isAborted: boolean
  /** When the last byte went to the client, or the client went; 0 until then. */
  readonly endedAt: number
  /** Lower-case hex; null where tracing is off. */
  readonly traceId: string | null
  readonly spanId: string | null
  /** Method sent upstream. */
  readonly method: string
  /** Whether the client says, by `Idempotency-Key`, that the request may be sent twice. */
  readonly hasIdempotencyKey: boolean
  /** Whether the request can be sent again: it has no body, or all that has been read of it is kept. */
  readonly isReplayable: boolean
  /** Path and query sent upstream; '' until they are known. */
  readonly upstreamPath: string
  /** Body bytes; after a switch of protocols those of the tunnel. */
  readonly bytesIn: number
  readonly bytesOut: number
  /** What the exchange has become once the upstream switched protocols; null for every other. */
  readonly tunnel: TunnelInfo | null
}

/** Bytes in both directions after an upgrade. */
export interface TunnelInfo {
  readonly exchange: Exchange
  readonly endpoint: Endpoint
  /** Milliseconds on the clock of `performance.now()`; 0 until the first byte may pass. */
  readonly startedAt: number
  /** 0 while it is open. */
  readonly endedAt: number
  /** Who ended it; null while nobody has. */
  readonly closedBy: 'client' | 'upstream' | 'idle' | 'shutdown' | null
}

/** One try on one endpoint. Settled exactly once. */
export interface Attempt {
  readonly exchange: Exchange
  /** Of the endpoint; that of the exchange may be another by now. */
  readonly upstream: Upstream
  readonly endpoint: Endpoint
  /** From 1. */
  readonly number: number
  /** The one that failed before it; null for the first. */
  readonly previous: Attempt | null
  readonly startedAt: number
  /** When the request began to be written; 0 until then. */
  readonly sentAt: number
  /** When the last byte of the request was written; 0 until then. `sentAt` where it has no body. */
  readonly writtenAt: number
  /** Milliseconds that its connection took to be made, as far as it waited for that; 0 where it found one. */
  readonly connectTime: number
  /** When the response head arrived; 0 until then. */
  readonly headAt: number
  readonly endedAt: number
  /** 0 until a head arrived. */
  readonly statusCode: number
  /** Whether the connection had carried a request before. */
  readonly reused: boolean
  /** Milliseconds for which that connection had carried nothing; 0 for a new one. */
  readonly idleTime: number
  /** `isProbe`: it began while the breaker of its endpoint was half-open. `isJudged`: the head of its answer has come, and decided. */
  readonly isProbe: boolean
  readonly isJudged: boolean
  readonly error: ProxyErrorLike | null
}

/** Where in an exchange something failed. */
export type Phase = 'select' | 'connect' | 'requestHeaders' | 'requestBody' | 'responseHeaders' | 'responseBody' | 'responseRewrite' | 'upgrade'

/** A row of the error table, met. */
export interface ProxyErrorLike extends Error {
  /** `FST_SLUICE_` and the word in capitals. */
  readonly code: string
  readonly statusCode: number
  /** The word: metric label, span `error.type`, log field and RFC 9209 error. */
  readonly error: string
  /** Who is to blame. */
  readonly side: 'client' | 'upstream' | 'proxy'
  /** Whether the upstream may have seen the request. */
  readonly sent: boolean
  readonly phase: Phase
}
