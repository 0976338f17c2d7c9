import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Attempt, Canary, CanaryReason, Endpoint, Exchange, Phase, ProxyErrorLike, Route, TunnelInfo, Upstream } from '../../types/model.ts'
import type { Flow } from './flow.ts'
import type { Place } from './line.ts'
import type { RequestHead } from '../../types/options.ts'

/** What undici is given, once per attempt; users see it as the request head. */
export interface Outgoing extends RequestHead {
  body: Readable | Buffer | null
  servername: string | null
  /** Whether undici closes the connection after this request, whatever the upstream says. */
  readonly reset: boolean
  /** A constant of ours, never a client's (CVE-2026-1527); null for none. */
  readonly upgrade: 'websocket' | null
}

/** What an exchange needs of its tunnel; see data-plane/upgrade/tunnel.ts. */
export interface ProxyTunnel extends TunnelInfo {
  begin (client: Socket, head: Buffer): void
  cut (): void
}

/** An upstream's answer that was good enough to keep and not to send. */
export interface KeptAnswer {
  /** Whether all of it is here, and its connection free. */
  readonly isOver: boolean
  relay (): void
  dropped (): void
}

/** What the body of a response may be by the time its head is sent. */
export type Payload = Buffer | Readable | undefined

export interface UpstreamResponse {
  readonly statusCode: number
  readonly headers: Record<string, string | string[]>
  readonly body: Payload
}

/** Where an exchange stands in a trace. */
export interface TraceContext {
  /** Lower-case hex, like the others. */
  readonly traceId: string
  readonly spanId: string
  /** Two digits. */
  readonly flags: string
  readonly state: string | null
}

/** A resource of an exchange's route that a client names in a field: its path at the upstream, without the endpoint's base path. */
export interface PublicResource {
  readonly path: string
  readonly isAbsolute: boolean
}

/** Such a field; see data-plane/transform/references.ts. */
export interface PublicReference {
  readonly name: string
  /** As the request has it now. */
  current: string
  readonly parts: readonly (string | PublicResource)[]
}

/** What `reply.proxy` puts in the place of the client's own; null for nothing. */
export interface Override {
  readonly path: string | null
  readonly method: string | null
  readonly headers: Readonly<Record<string, string>> | null
  /** undefined: the client's. */
  readonly body: string | Buffer | object | null | undefined
  /** The client's body, where an exchange that this one takes over from has read it already; null where it has not. */
  readonly taken: Buffer | null
}

/** Answers by way of Fastify's reply. */
export type Respond = (exchange: ProxyExchange, response: UpstreamResponse) => void

/** All fields are set here, so that every exchange has one shape. */
export class ProxyExchange implements Exchange {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly route: Route
  readonly startedAt: number
  upstream: Upstream
  canary: Canary | null = null
  variantReason: CanaryReason | null = null

  /** Raw path and query of the request target; the query with its '?'. */
  path = ''
  query = ''
  upstreamPath = ''
  /** Whether the router was shown another target than the client's: what it says of parameters is not to be used then. */
  isShownOtherwise = false
  method: string
  outgoing: Outgoing | null = null
  /** Whether the body's length is not the one that the client announced. */
  hasOwnLength = false
  /** A content type that Fastify would refuse; null where there is none. */
  hiddenContentType: string | null = null
  /** Whether the body is an object of the code's, in JSON. */
  isJson = false
  /** Whether the Host header is the endpoint's, to be set anew for each attempt. */
  hostFollowsEndpoint = false
  /** Fields that depend on the endpoint because they name resources of it; null where there are none. */
  references: PublicReference[] | null = null
  isReplayable = true

  override: Override | null = null
  /** Whether another exchange has taken this request over. */
  isSuperseded = false

  /** How often a stale connection was passed over. */
  passes = 0
  tried: Endpoint[] | null = null
  /** The answer that goes out if nothing better comes; null while there is none. */
  kept: KeptAnswer | null = null
  /** Where it stands in its upstream's line; null while it does not. */
  place: Place | null = null
  /** The upstream whose load counts this exchange among its retries; null while none does. */
  charged: Upstream | null = null
  attempts = 0
  attemptedAt = 0
  queueTime = 0
  last: Attempt | null = null
  error: ProxyErrorLike | null = null
  /** Whether hooks of the app's see what is sent, and may keep it. */
  hasSendHooks = true
  /** Whether the response that goes out is an upstream's; false for our errors and those of hooks. */
  isProxied = false
  isAborted = false
  isEventStream = false
  isGrpc = false
  /** The client's own deadline. */
  grpcDue: number = Infinity
  /** Bytes that the client had not read when it was last looked at, when it had last read some, and when to look again. */
  unread = -1
  readAt = 0
  lookAfter = 0
  endedAt = 0

  trace: TraceContext | null = null
  /** Whether the client's trace context is to be replaced rather than followed. */
  isTraceRestarted = false

  phase: Phase = 'select'
  bytesIn = 0
  bytesOut = 0
  /** null where all bytes pass at once, or nobody counts them. */
  flow: Flow | null = null
  tunnel: ProxyTunnel | null = null

  // Deadlines, on the clock of performance.now(); Infinity is none. See data-plane/timeouts.ts.
  totalDue: number = Infinity
  attemptDue: number = Infinity
  phaseDue: number = Infinity
  /** Where it is filed, under which deadline, and its neighbours there; -1 while it is nowhere. */
  slot = -1
  filedDue: number = Infinity
  /** True while the process is kept alive for it. */
  isHeld = false
  before: ProxyExchange | null = null
  behind: ProxyExchange | null = null

  constructor (request: FastifyRequest, reply: FastifyReply, route: Route, startedAt: number) {
    this.request = request
    this.reply = reply
    this.route = route
    this.startedAt = startedAt
    this.upstream = route.upstream
    this.method = request.method
  }

  get deadline (): number {
    return this.totalDue
  }

  /** In what is sent: whoever gives one says that the request may be sent twice. */
  get hasIdempotencyKey (): boolean {
    const key = this.outgoing === null ? undefined : this.outgoing.headers['idempotency-key']
    return key !== undefined && key !== ''
  }

  get variant (): string {
    return this.canary === null ? 'stable' : this.canary.name
  }

  get traceId (): string | null {
    return this.trace === null ? null : this.trace.traceId
  }

  get spanId (): string | null {
    return this.trace === null ? null : this.trace.spanId
  }

  get endpoint (): Endpoint | null {
    return this.last === null ? null : this.last.endpoint
  }
}
