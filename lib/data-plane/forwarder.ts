import { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { Endpoint, ProxyErrorLike } from '../../types/model.ts'
import type { ResponseHead } from '../../types/options.ts'
import type { Tools } from '../../types/policy.ts'
import type { Payload, ProxyExchange, Respond } from '../model/exchange.ts'
import { type Flow, openFlow } from '../model/flow.ts'
import { ProxyAttempt } from './attempt.ts'
import type { AttemptOwner } from './attempt-owner.ts'
import { bodyFault, overdue } from './blame.ts'
import { fallBack } from './canary.ts'
import { withoutContent } from './content.ts'
import { cutOff, endWithError } from './failure.ts'
import { fitReply, isHttp2 } from './http2-reply.ts'
import { type TurnTaker, Turns } from './limit/turns.ts'
import { writeAtOnce } from './one-write.ts'
import { hasStopped } from './reader.ts'
import { aim, dropAdded, receivedFields, transformHead } from './request-head.ts'
import { settleHead } from './response-head.ts'
import { settleRetry } from './retry/plan.ts'
import { answeredAtLast, noteOutcome, type RetryOwner, Retrying } from './retry/retrying.ts'
import { type RewriteOwner, rewriteBody } from './rewrite/rewriting.ts'
import { Deadlines } from './timeouts.ts'
import { writeTrace } from './transform/trace-context.ts'
import { Tunnels } from './upgrade/tunnels.ts'
import { answerWhole } from './whole-answer.ts'
import { proxyError, toProxyError } from '../errors.ts'

/** What an OpenTelemetry SDK wants of every attempt; see observe/tracing.ts. */
export interface AttemptTracing {
  follow (exchange: ProxyExchange): void
  begin (exchange: ProxyExchange, headers: Record<string, string | string[]>, attempt: number): void
  sent (attempt: ProxyAttempt, path: string): void
  end (attempt: ProxyAttempt): void
  discard (exchange: ProxyExchange, error: ProxyErrorLike): void
  quietly<T> (work: () => T): T
}

/** The connector's own timeout comes first; this one is for a connection that undici opens a second time. */
const CONNECT_GRACE = 1000

/**
 * Carries one exchange to its upstream, trying endpoints until one answers or the retry policy stops.
 *
 *   client ─1▶ exchange ─2▶ request head ─3▶ endpoint ─4▶ upstream
 *   client ◀8─ reply    ◀7─ response head ◀6─ retry?  ◀5─ upstream
 */
export class Forwarder implements AttemptOwner, RewriteOwner, RetryOwner, TurnTaker {
  readonly deadlines: Deadlines
  readonly #turns: Turns
  readonly #retrying: Retrying
  readonly #tools: Tools
  readonly #respond: Respond
  /** null without an OpenTelemetry SDK. */
  tracing: AttemptTracing | null = null
  #isClosing = false
  /** Streams without an end of their own, which would hold up a shutdown for ever. */
  readonly #eventStreams = new Set<ProxyAttempt>()
  readonly tunnels: Tunnels = new Tunnels()
  /** null where nobody counts bytes. */
  flows: Set<Flow> | null = null

  constructor (tools: Tools, respond: Respond) {
    this.#tools = tools
    this.#respond = respond
    this.#turns = new Turns(this, tools.now)
    this.#retrying = new Retrying(this, this.#turns, tools.now)
    this.deadlines = new Deadlines((exchange, now) => { this.#expire(exchange, now) })
  }

  get isClosing (): boolean {
    return this.#isClosing
  }

  /** 1: the exchange is taken. */
  request (exchange: ProxyExchange): void {
    try {
      this.#shapeRequest(exchange)
      exchange.route.retry?.earn(exchange.upstream)
      this.send(exchange)
    } catch (error) {
      this.giveUp(exchange, toProxyError(error, 'select'))
    }
  }

  /** 2: what ends at this hop goes first, what is ours comes next, what the user says comes last. */
  #shapeRequest (exchange: ProxyExchange): void {
    const outgoing = exchange.outgoing!
    outgoing.headers = receivedFields(exchange)
    this.#trace(exchange, 1)
    transformHead(exchange, outgoing)
  }

  /** 3: an endpoint is picked, now or when it is the exchange's turn. */
  send (exchange: ProxyExchange): void {
    const endpoint = this.#turns.next(exchange)
    if (endpoint !== null) {
      this.begin(exchange, endpoint)
      return
    }
    const { kept } = exchange
    if (kept !== null && !kept.isOver) {
      // An answer that is kept back must not have the connection that its successor waits for.
      exchange.kept = null
      kept.dropped()
    }
    this.#turns.wait(exchange)
  }

  /** 4: the request is aimed at it and sent. */
  begin (exchange: ProxyExchange, endpoint: Endpoint): void {
    if (exchange.isHeld) this.deadlines.letGo(exchange)
    if (exchange.attempts > 0) this.#trace(exchange, exchange.attempts + 1)
    if (exchange.attempts > 0 && exchange.method === 'TRACE') dropAdded(exchange, exchange.outgoing!.headers)
    const startedAt = this.#tools.now()
    const attempt = new ProxyAttempt(exchange, endpoint, ++exchange.attempts, startedAt, this)
    if (exchange.last === null) exchange.attemptedAt = startedAt
    exchange.last = attempt
    exchange.upstream.load.active++
    exchange.phase = 'connect'
    exchange.phaseDue = startedAt + endpoint.connectTimeout + CONNECT_GRACE
    exchange.attemptDue = startedAt + exchange.route.timeouts.attempt
    this.deadlines.arm(exchange)

    aim(exchange, endpoint, startedAt)
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
    this.#retrying.failed(attempt)
  }

  /** 5 and 6 for an answer that failed by its status. */
  refused (attempt: ProxyAttempt, headers: Record<string, string | string[]>): boolean {
    return this.#retrying.refused(attempt, headers['retry-after'])
  }

  giveUp (exchange: ProxyExchange, error: ProxyErrorLike): void {
    if (!fallBack(exchange, error)) {
      this.#retrying.giveUp(exchange, error)
      return
    }
    this.tracing?.discard(exchange, error)
    this.request(exchange)
  }

  /** 7 and 8: the head is shaped and handed back. */
  answered (attempt: ProxyAttempt, headers: Record<string, string | string[]>, payload: Payload): void {
    const exchange = attempt.exchange as ProxyExchange
    const { route } = exchange
    const head: ResponseHead = { statusCode: attempt.statusCode, headers }
    if (attempt.number > 1) answeredAtLast(attempt)
    if (!attempt.isOver) openFlow(this.flows, exchange)
    try {
      exchange.isProxied = true
      settleHead(exchange, head, this.#isClosing)
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
      else if (Buffer.isBuffer(payload)) {
        if (answerWhole(exchange, head, payload)) return
        writeAtOnce(reply.raw, payload)
      }
      // Fastify takes no status above 599; reply-from.ts puts the upstream's own back (RFC 9110 15).
      this.#respond(exchange, { statusCode: Math.min(head.statusCode, 599), headers: head.headers, body: payload })
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
    if (!attempt.isKept) this.tracing?.end(attempt)
    const { exchange, upstream } = attempt
    if (attempt.tunnel === null) upstream.load.active--
    if (exchange.charged !== null && !attempt.isKept) settleRetry(exchange)
    noteOutcome(attempt)
    const { observers } = upstream.state
    for (let index = 0; index < observers.length; index++) observers[index]!.onAttempt?.(attempt)
  }

  left ({ endpoint }: { readonly endpoint: Endpoint }): void {
    this.#turns.left(endpoint.seats)
  }

  fail (exchange: ProxyExchange, error: ProxyErrorLike): void {
    this.deadlines.disarm(exchange)
    this.#retrying.forget(exchange)
    this.tracing?.discard(exchange, error)
    if (this.#isClosing && exchange.request.raw.httpVersionMajor === 1) exchange.reply.header('connection', 'close')
    endWithError(exchange, error)
  }

  /** The client's side is over: the answer is out, or the client has left. */
  finish (exchange: ProxyExchange, isWhole: boolean): void {
    if (exchange.flow !== null) this.flows!.delete(exchange.flow)
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
    this.#retrying.forget(exchange)
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
    if (exchange.phase === 'select') {
      // A place in line, and an attempt, is the async scope of its exchange.
      const scope = exchange.place ?? attempt
      if (scope === null) this.#retrying.expired(exchange, now)
      else scope.runInAsyncScope(this.#retrying.expired, this.#retrying, exchange, now)
      return
    }
    const name = exchange.totalDue <= now ? 'request_timeout' : exchange.attemptDue <= now ? 'http_response_timeout' : overdue(exchange, attempt)
    if (name === 'client_write_timeout' && !hasStopped(exchange, this.deadlines, now)) return
    const error = proxyError(name, exchange.phase)
    if (attempt !== null && !attempt.isOver) attempt.abandon(error)
    else this.fail(exchange, error)
  }
}
