import { AsyncResource } from 'node:async_hooks'
import type { Dispatcher } from 'undici'
import type { Attempt, Endpoint, Phase, ProxyErrorLike } from '../../types/model.ts'
import type { Payload, ProxyExchange } from '../model/exchange.ts'
import type { Carried, CountingClient } from './pool/counting-client.ts'
import type { Deadlines } from './timeouts.ts'
import { copyResponseHeaders } from './transform/hop-by-hop.ts'
import { relayInformational } from './informational.ts'
import { type BodySource, ResponseBody } from './response-body.ts'
import { proxyError, toProxyError } from '../errors.ts'

/** Whoever began an attempt, and goes on from it. */
export interface AttemptOwner {
  readonly deadlines: Deadlines
  /** The head is there, and the body whole, or as a stream. */
  answered (attempt: ProxyAttempt, headers: Record<string, string | string[]>, payload: Payload): void
  /** It came to nothing, before anything of the answer was handed over. */
  failed (attempt: ProxyAttempt): void
  /** The body broke off after its head was handed over. */
  broke (attempt: ProxyAttempt): void
  /** It is over, well or not. */
  ended (attempt: ProxyAttempt): void
}

/** 1xx heads that one request may be answered with; an upstream that sends more is not well (I2 of the HTTP rules). */
const INFORMATIONAL_LIMIT = 64

/**
 * One try on one endpoint, as undici sees it. undici calls back in the async scope of whoever opened the connection, some other
 * request's; being an AsyncResource, it brings its callers back into the scope of its own exchange.
 *
 * These are the callbacks of undici 7 and before: they hand over header bytes unparsed and say when the request has been sent,
 * which those of undici 8 do not. Another undici changes this file and no other.
 */
export class ProxyAttempt extends AsyncResource implements Attempt, Carried, BodySource, Dispatcher.DispatchHandler {
  readonly exchange: ProxyExchange
  readonly endpoint: Endpoint
  readonly number: number
  readonly startedAt: number
  sentAt = 0
  headAt = 0
  endedAt = 0
  statusCode = 0
  reused = false
  error: ProxyErrorLike | null = null
  /** Set by the pool when it finds a connection. */
  client: CountingClient | null = null
  readonly #owner: AttemptOwner
  #isOver = false
  #isHandedOver = false
  #isPaused = false
  #informational = 0
  #abort: (() => void) | null = null
  #resume: (() => void) | null = null
  #headers: Record<string, string | string[]> | null = null
  #chunks: Buffer[] | null = null
  #body: ResponseBody | null = null

  constructor (exchange: ProxyExchange, endpoint: Endpoint, number: number, startedAt: number, owner: AttemptOwner) {
    super('SLUICE_ATTEMPT')
    this.exchange = exchange
    this.endpoint = endpoint
    this.number = number
    this.startedAt = startedAt
    this.#owner = owner
    endpoint.active++
  }

  get isOver (): boolean {
    return this.#isOver
  }

  /** Whether the client, not the upstream, is what we wait for. */
  get isPaused (): boolean {
    return this.#isPaused
  }

  // What undici calls, in this order ───────────────────────────────────────

  onConnect (abort: () => void): void {
    // Given up while it waited for a connection. Throwing takes it off undici's queue and leaves the connection to the next;
    // `abort` would destroy it.
    if (this.#isOver) throw abandoned
    this.#abort = abort
    this.reused = this.client!.carried++ > 0
    this.sentAt = performance.now()
    const { exchange } = this
    const { timeouts } = exchange.route
    const hasUpload = exchange.outgoing!.body !== null
    exchange.phase = hasUpload ? 'requestBody' : 'responseHeaders'
    exchange.phaseDue = this.sentAt + (hasUpload ? timeouts.idle : timeouts.head)
    this.#owner.deadlines.arm(exchange)
  }

  onRequestSent (): void {
    const { exchange } = this
    if (exchange.phase !== 'requestBody' || this.#isOver) return
    exchange.phase = 'responseHeaders'
    exchange.phaseDue = performance.now() + exchange.route.timeouts.head
    this.#owner.deadlines.arm(exchange)
  }

  onHeaders (statusCode: number, raw: Buffer[], resume: () => void): boolean {
    const { exchange } = this
    if (statusCode < 200) {
      // undici takes any three digits; 099 is no interim answer, and no client could read it as one.
      if (statusCode < 100) throw proxyError('http_protocol_error', 'responseHeaders')
      if (++this.#informational > INFORMATIONAL_LIMIT) throw proxyError('http_protocol_error', 'responseHeaders')
      relayInformational(statusCode, raw, exchange.reply.raw)
      return true
    }
    this.headAt = performance.now()
    this.statusCode = statusCode
    this.#resume = resume
    this.#headers = copyResponseHeaders(raw)
    exchange.attemptDue = Infinity
    exchange.phase = 'responseBody'
    exchange.phaseDue = this.headAt + exchange.route.timeouts.idle
    this.#owner.deadlines.arm(exchange)
    // All that came with the head is parsed before ticks run: what is whole by then goes out without a stream.
    process.nextTick(handOver, this)
    return true
  }

  onData (chunk: Buffer): boolean {
    const { exchange } = this
    exchange.bytesOut += chunk.length
    const body = this.#body
    if (body === null) {
      if (this.#chunks === null) this.#chunks = [chunk]
      else this.#chunks.push(chunk)
      return true
    }
    const { deadlines } = this.#owner
    const { idle, write } = exchange.route.timeouts
    exchange.phaseDue = deadlines.now + idle
    if (this.runInAsyncScope(body.push, body, chunk)) return true
    this.#isPaused = true
    exchange.phaseDue = deadlines.now + write
    deadlines.arm(exchange)
    return false
  }

  onComplete (): void {
    if (this.#isOver) return
    // undici takes a reset for the end of a body that ends with its connection; but that is the end only where nothing went wrong
    // (RFC 9112 8).
    const { failure } = this.client!
    if (failure !== null) {
      this.#settle(proxyError('http_response_incomplete', 'responseBody', failure))
      return
    }
    this.#end(null)
    // From here on only the client can be slow.
    this.#isPaused = true
    this.exchange.phaseDue = this.endedAt + this.exchange.route.timeouts.write
    if (this.#body !== null) this.runInAsyncScope(this.#body.push, this.#body, null)
    else if (!this.#isHandedOver) this.#handOverWhole()
  }

  onError (cause: Error): void {
    if (!this.#isOver) this.#settle(toProxyError(cause, this.#phase()))
  }

  // What we call ───────────────────────────────────────────────────────────

  /** Gives up: the upstream's connection is closed at once, and the owner goes on from `error`. */
  abandon (error: ProxyErrorLike): void {
    if (this.#isOver) return
    this.#settle(error)
    this.#abort?.()
  }

  /** Ends the body as if it were whole; only for streams whose readers come again (server-sent events). */
  finishEarly (): void {
    if (this.#isOver) return
    this.#end(null)
    this.#abort?.()
    this.#body?.push(null)
  }

  wanted (): void {
    if (!this.#isPaused || this.#isOver) return
    this.#isPaused = false
    this.exchange.phaseDue = this.#owner.deadlines.now + this.exchange.route.timeouts.idle
    this.#owner.deadlines.arm(this.exchange)
    this.#resume!()
  }

  /** Somebody put another payload in the body's place, or the client left: nobody failed. */
  dropped (): void {
    if (this.#isOver) return
    this.#end(null)
    this.#abort?.()
  }

  // ────────────────────────────────────────────────────────────────────────

  /** At the end of the tick in which the head came: the rest of the body comes as a stream, and the head goes out now. */
  handOverStream (): void {
    if (this.#isHandedOver || this.#isOver) return
    this.#isHandedOver = true
    this.#body = this.#stream()
    this.runInAsyncScope(this.#owner.answered, this.#owner, this, this.#headers!, this.#body)
  }

  #handOverWhole (): void {
    this.#isHandedOver = true
    const chunks = this.#chunks
    let payload: Payload
    if (chunks !== null) {
      if (this.#headers!['content-type'] === undefined) {
        // Fastify makes up a content type for buffers, and none for streams.
        payload = this.#stream()
        payload.push(null)
      } else {
        payload = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
      }
    }
    this.runInAsyncScope(this.#owner.answered, this.#owner, this, this.#headers!, payload)
  }

  #stream (): ResponseBody {
    const body = new ResponseBody(this)
    if (this.#chunks !== null) {
      for (const chunk of this.#chunks) body.push(chunk)
      this.#chunks = null
    }
    return body
  }

  #settle (error: ProxyErrorLike): void {
    this.#end(error)
    if (!this.#isHandedOver) {
      this.#isHandedOver = true
      this.runInAsyncScope(this.#owner.failed, this.#owner, this)
      return
    }
    this.runInAsyncScope(this.#owner.broke, this.#owner, this)
    this.#body?.destroy(error)
  }

  #end (error: ProxyErrorLike | null): void {
    this.#isOver = true
    this.error = error
    this.endedAt = performance.now()
    // Here and not with the head: a long download is load.
    this.endpoint.active--
    this.#owner.ended(this)
  }

  #phase (): Phase {
    if (this.sentAt === 0) return 'connect'
    if (this.headAt !== 0) return 'responseBody'
    return this.exchange.phase === 'requestBody' ? 'requestBody' : 'responseHeaders'
  }
}

/** One function for all exchanges, so that a tick needs no closure. */
function handOver (attempt: ProxyAttempt): void {
  attempt.handOverStream()
}

const abandoned = proxyError('client_closed_request', 'connect')
