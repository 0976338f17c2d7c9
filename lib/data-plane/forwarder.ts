import { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { Endpoint, ProxyErrorLike } from '../../types/model.ts'
import type { ResponseHead } from '../../types/options.ts'
import type { RetryPolicy, Tools } from '../../types/policy.ts'
import type { Payload, ProxyExchange, Respond } from '../model/exchange.ts'
import { ProxyAttempt } from './attempt.ts'
import type { AttemptOwner } from './attempt-owner.ts'
import { bodyFault, isCrowded, overdue } from './blame.ts'
import { isEventStream, withoutContent } from './content.ts'
import { appendProxyStatus, cutOff, endWithError } from './failure.ts'
import { fitReply, isHttp2 } from './http2-reply.ts'
import { writeAtOnce } from './one-write.ts'
import { hasStopped } from './reader.ts'
import type { RequestTaker } from './reply-from.ts'
import { type RewriteOwner, rewriteBody } from './rewrite/rewriting.ts'
import { Deadlines } from './timeouts.ts'
import { copyRequestHeaders } from './transform/hop-by-hop.ts'
import { dropSecrets } from './transform/credentials.ts'
import { writeTrace } from './transform/trace-context.ts'
import { Tunnels } from './upgrade/tunnels.ts'
import { proxyError, toProxyError } from '../errors.ts'

/** What an OpenTelemetry SDK wants of every attempt; see observe/tracing.ts. */
export interface AttemptTracing {
  follow (exchange: ProxyExchange): void
  begin (exchange: ProxyExchange, headers: Record<string, string | string[]>, attempt: number): void
  sent (attempt: ProxyAttempt, path: string): void
  end (attempt: ProxyAttempt): void
  discard (exchange: ProxyExchange, error: ProxyErrorLike): void
  quietly (work: () => boolean): boolean
}

/** How long a request waits for one of an endpoint's connections to become free. */
const QUEUE_TIMEOUT = 5000
/** The connector's own timeout comes first; this one is for a connection that undici opens a second time. */
const CONNECT_GRACE = 1000

/**
 * Carries one exchange to its upstream, trying endpoints until one answers or the retry policy stops. reply-from calls `request`
 * as if we were an undici dispatcher.
 *
 *   client ─1▶ exchange ─2▶ request head ─3▶ endpoint ─4▶ upstream
 *   client ◀8─ reply    ◀7─ response head ◀6─ retry?  ◀5─ upstream
 */
export class Forwarder implements RequestTaker, AttemptOwner, RewriteOwner {
  readonly deadlines: Deadlines
  readonly #retry: RetryPolicy
  readonly #tools: Tools
  /** null without an OpenTelemetry SDK. */
  tracing: AttemptTracing | null = null
  #isClosing = false
  /** Streams without an end of their own, which would hold up a shutdown for ever. */
  readonly #eventStreams = new Set<ProxyAttempt>()
  readonly tunnels: Tunnels = new Tunnels()

  constructor (retry: RetryPolicy, tools: Tools) {
    this.#retry = retry
    this.#tools = tools
    this.deadlines = new Deadlines((exchange, now) => { this.#expire(exchange, now) })
  }

  get isClosing (): boolean {
    return this.#isClosing
  }

  /** 1: reply-from hands the exchange over. */
  request (exchange: ProxyExchange, respond: Respond): void {
    exchange.respond = respond
    try {
      this.#shapeRequest(exchange)
      this.#send(exchange)
    } catch (error) {
      this.fail(exchange, toProxyError(error, 'select'))
    }
  }

  /** 2: what ends at this hop goes first, what is ours comes next, what the user says comes last. */
  #shapeRequest (exchange: ProxyExchange): void {
    const outgoing = exchange.outgoing!
    const headers = copyRequestHeaders(exchange.request.headers)
    outgoing.headers = headers
    // A body that a preParsing hook changed, or that is not the client's, has another length.
    if (exchange.hasOwnLength) delete headers['content-length']
    if (exchange.override !== null) applyOverride(exchange, headers)
    this.#trace(exchange, 1)
    for (const transform of exchange.route.requestTransforms) transform.apply(outgoing, exchange)
    if (outgoing.method === 'TRACE') dropSecrets(headers)
    exchange.hostFollowsEndpoint = headers['host'] === undefined
    exchange.method = outgoing.method
    exchange.upstreamPath = outgoing.path
  }

  /** 3 and 4: an endpoint is picked, the request is aimed at it and sent. */
  #send (exchange: ProxyExchange): void {
    const { available, balancer } = exchange.upstream.state
    const untried = exchange.last === null ? available : withoutTried(available, exchange.last.endpoint)
    if (untried.length === 0) throw proxyError('no_healthy_upstream', 'select')
    const endpoint = balancer.pick(untried, exchange)

    const startedAt = this.#tools.now()
    const attempt = new ProxyAttempt(exchange, endpoint, ++exchange.attempts, startedAt, this)
    if (exchange.last === null) exchange.attemptedAt = startedAt
    exchange.last = attempt
    exchange.phase = 'connect'
    const isQueued = isCrowded(endpoint)
    exchange.phaseDue = startedAt + (isQueued ? QUEUE_TIMEOUT : endpoint.connectTimeout + CONNECT_GRACE)
    exchange.attemptDue = startedAt + exchange.route.timeouts.attempt
    this.deadlines.arm(exchange)

    aim(exchange, endpoint)
    // undici's types want an origin, which a pool has of itself.
    const outgoing = exchange.outgoing as unknown as Dispatcher.DispatchOptions
    if (this.tracing !== null) this.tracing.sent(attempt, outgoing.path)
    endpoint.pool.dispatch(outgoing, attempt)
  }

  #trace (exchange: ProxyExchange, attempt: number): void {
    const { headers } = exchange.outgoing!
    const { trace } = exchange.route
    if (this.tracing === null || trace === 'passthrough' || trace === false) writeTrace(exchange, headers, attempt)
    else this.tracing.begin(exchange, headers, attempt)
  }

  /** 5 and 6: it failed before anything was handed over. Once more, or the end. */
  failed (attempt: ProxyAttempt): void {
    const exchange = attempt.exchange as ProxyExchange
    const delay = exchange.isAborted ? null : this.#retry.next(attempt)
    if (delay === null) {
      this.fail(exchange, attempt.error!)
      return
    }
    // It was stale, then; and the next one must not be.
    if (attempt.reused) attempt.client!.cutIdle()
    try {
      if (exchange.canary !== null && exchange.canary.fallback) exchange.upstream = exchange.route.upstream
      this.#trace(exchange, attempt.number + 1)
      this.#send(exchange)
    } catch (error) {
      this.fail(exchange, toProxyError(error, 'select'))
    }
  }

  /** 7 and 8: the head is shaped and handed back. */
  answered (attempt: ProxyAttempt, headers: Record<string, string | string[]>, payload: Payload): void {
    const exchange = attempt.exchange as ProxyExchange
    const { route } = exchange
    const head: ResponseHead = { statusCode: attempt.statusCode, headers }
    try {
      exchange.isProxied = true
      this.#settleHead(exchange, head)
    } catch (error) {
      this.#withdraw(attempt, head, error)
      return
    }
    if (head.statusCode === 205) payload = withoutContent(head.headers, payload)
    if (route.rewrite === null) this.handBack(attempt, head, payload)
    else rewriteBody(this, route.rewrite, attempt, head, payload)
  }

  handBack (attempt: ProxyAttempt, head: ResponseHead, payload: Payload): void {
    const { exchange } = attempt
    const { reply, route } = exchange
    try {
      for (const transform of route.responseTransforms) transform.apply(head, exchange)
      if (exchange.isEventStream && !attempt.isOver) this.#eventStreams.add(attempt)
      if (isHttp2(reply.raw)) fitReply(reply.raw, head, payload === undefined && !attempt.hasTrailers)
      else if (Buffer.isBuffer(payload)) writeAtOnce(reply.raw, payload)
      // Fastify takes no status above 599; reply-from.ts puts the upstream's own back (RFC 9110 15).
      exchange.respond!(null, { statusCode: Math.min(head.statusCode, 599), headers: head.headers, body: payload })
    } catch (error) {
      this.#withdraw(attempt, head, error)
      if (payload instanceof Readable) payload.destroy()
    }
  }

  #withdraw (attempt: ProxyAttempt, { headers }: ResponseHead, error: unknown): void {
    const { exchange } = attempt
    // A header that Node refuses to write is still on the reply.
    for (const name in headers) exchange.reply.removeHeader(name)
    const known = toProxyError(error, 'responseHeaders')
    attempt.abandon(known)
    this.fail(exchange, known)
  }

  #settleHead (exchange: ProxyExchange, { statusCode, headers }: ResponseHead): void {
    const { reply } = exchange
    if (isEventStream(headers['content-type'])) {
      exchange.isEventStream = true
      // A stream of events is as long as it is; silence still ends it.
      exchange.totalDue = Infinity
    }
    // So is a stream of gRPC, for all the proxy knows; what its client has set is another matter.
    if (exchange.isGrpc) exchange.totalDue = exchange.grpcDue
    if (statusCode === 204 && headers['content-length'] !== undefined) delete headers['content-length'] // RFC 9110 8.6
    if (statusCode >= 500) appendProxyStatus(headers, `${exchange.route.pseudonym}; received-status=${statusCode}`)
    // What a plugin of the app has set and both sides may have a say in.
    if (headers['vary'] !== undefined && reply.hasHeader('vary')) headers['vary'] = `${String(reply.getHeader('vary'))}, ${[headers['vary']].flat().join(', ')}`
    if (headers['strict-transport-security'] !== undefined && reply.hasHeader('strict-transport-security')) delete headers['strict-transport-security']
    if (this.#isClosing && !isHttp2(reply.raw)) reply.header('connection', 'close')
  }

  /** The body broke off behind its head: the client must not take it for whole. */
  broke (attempt: ProxyAttempt): void {
    const exchange = attempt.exchange as ProxyExchange
    if (exchange.error === null) exchange.error = attempt.error
    if (exchange.reply.raw.headersSent) cutOff(exchange.reply.raw)
  }

  /** What we do to a body failed, before its head was handed back or behind it. */
  spoil (attempt: ProxyAttempt, error: ProxyErrorLike, isHandedBack: boolean): void {
    attempt.abandon(error)
    const { exchange } = attempt
    if (exchange.error === null) exchange.error = error
    if (!isHandedBack) this.fail(exchange, error)
    else if (exchange.reply.raw.headersSent) cutOff(exchange.reply.raw)
  }

  ended (attempt: ProxyAttempt): void {
    if (this.#eventStreams.size > 0) this.#eventStreams.delete(attempt)
    this.tracing?.end(attempt)
    const { observers } = attempt.exchange.upstream.state
    for (let index = 0; index < observers.length; index++) observers[index]!.onAttempt?.(attempt)
  }

  fail (exchange: ProxyExchange, error: ProxyErrorLike): void {
    this.deadlines.disarm(exchange)
    this.tracing?.discard(exchange, error)
    if (this.#isClosing && exchange.request.raw.httpVersionMajor === 1) exchange.reply.header('connection', 'close')
    endWithError(exchange, error)
  }

  /** The client's side is over: the answer is out, or the client has left. */
  finish (exchange: ProxyExchange, isWhole: boolean): void {
    if (exchange.isSuperseded) return
    exchange.endedAt = this.#tools.now()
    this.deadlines.disarm(exchange)
    if (!isWhole) {
      if (exchange.error === null) exchange.error = bodyFault(exchange) ?? proxyError('client_closed_request', exchange.phase)
      // Unless the connection was cut by us, behind an upstream that failed or a body that cannot be read.
      if (exchange.error.statusCode === 499) exchange.isAborted = true
    }
    const attempt = exchange.last as ProxyAttempt | null
    // Also when somebody else answered in our place: nobody waits for the upstream any more.
    if (attempt !== null && !attempt.isOver) attempt.abandon(exchange.error ?? proxyError('client_closed_request', exchange.phase))
    // A connection that outlives its last response would hold up a shutdown until it is idle for long enough.
    if (this.#isClosing && exchange.request.raw.httpVersionMajor === 1) exchange.request.raw.socket.end()
    const { observers } = exchange.upstream.state
    for (let index = 0; index < observers.length; index++) observers[index]!.onExchange?.(exchange)
  }

  /** No new exchanges come; streams without an end are ended. */
  drain (): void {
    this.#isClosing = true
    for (const attempt of [...this.#eventStreams]) attempt.finishEarly()
    for (const tunnel of [...this.tunnels]) tunnel.close('shutdown')
  }

  close (): void {
    for (const tunnel of this.tunnels) tunnel.cut()
    this.deadlines.close()
  }

  #expire (exchange: ProxyExchange, now: number): void {
    const attempt = exchange.last as ProxyAttempt | null
    if (attempt !== null && attempt.tunnel !== null) {
      attempt.tunnel.expire()
      return
    }
    const name = exchange.totalDue <= now ? 'request_timeout' : exchange.attemptDue <= now ? 'http_response_timeout' : overdue(exchange, attempt)
    if (name === 'client_write_timeout' && !hasStopped(exchange, this.deadlines, now)) return
    const error = proxyError(name, exchange.phase)
    if (attempt !== null && !attempt.isOver) attempt.abandon(error)
    else this.fail(exchange, error)
  }
}

/** What `reply.proxy` says of the headers, over what the client said and under what the behaviour says. */
function applyOverride (exchange: ProxyExchange, headers: Record<string, string | string[]>): void {
  if (exchange.outgoing!.body === null) delete headers['content-type']
  if (exchange.isJson && !String(headers['content-type'] ?? '').includes('json')) headers['content-type'] = 'application/json'
  const own = exchange.override!.headers
  for (const name in own) headers[name.toLowerCase()] = own[name]!
}

/** Another endpoint first; the same one again when it is the only one. */
function withoutTried (available: readonly Endpoint[], tried: Endpoint): readonly Endpoint[] {
  const others = available.filter((endpoint) => endpoint !== tried)
  return others.length > 0 ? others : available
}

function aim (exchange: ProxyExchange, endpoint: Endpoint): void {
  const outgoing = exchange.outgoing!
  // undici takes no `*`; see CountingClient.askForAll.
  if (exchange.upstreamPath === '*') outgoing.path = '/*'
  else if (endpoint.basePath !== '') outgoing.path = endpoint.basePath + exchange.upstreamPath
  else outgoing.path = exchange.upstreamPath
  outgoing.servername = endpoint.servername
  if (exchange.hostFollowsEndpoint) outgoing.headers['host'] = endpoint.host
}
