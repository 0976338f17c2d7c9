import type { Duplex } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { ProxyErrorLike } from '../../types/model.ts'
import type { KeptAnswer } from '../model/exchange.ts'
import { AttemptRecord } from './attempt-record.ts'
import { announcedLength, hasNoBody } from './content.ts'
import { copyResponseHeaders, nominatedBy, restoreLength } from './transform/hop-by-hop.ts'
import { atEndOfTurn, type Waiting } from './end-of-turn.ts'
import { relayInformational } from './informational.ts'
import { phaseOf } from './blame.ts'
import { giveBack, giveBackWhole, LARGE, WHOLE_LIMIT } from './lending.ts'
import { wholePayload } from './payload.ts'
import { watchReader } from './reader.ts'
import { type BodySource, ResponseBody } from './response-body.ts'
import { framesMessage, isLengthInTrailers, relayTrailers, withSums } from './trailers.ts'
import { switchProtocols } from './upgrade/switch.ts'
import { proxyError, toProxyError } from '../errors.ts'

/** Bytes of a body that is kept back; what goes on behind them waits in the connection. */
const KEPT_LIMIT = 64 * 1024

/**
 * One try on one endpoint, as undici sees it. undici calls back in the async scope of whoever opened the connection, some other
 * request's; being an AsyncResource, it brings its callers back into the scope of its own exchange.
 *
 * These are the callbacks of undici 7 and before: they hand over header bytes unparsed and say when the request has been sent,
 * which those of undici 8 do not. Another undici changes this file and no other.
 */
export class ProxyAttempt extends AttemptRecord implements BodySource, KeptAnswer, Waiting, Dispatcher.DispatchHandler {
  #isHandedOver = false
  #isPaused = false
  /** Whether its answer is kept back while another attempt is made; and the bytes of it that have come. */
  #isKept = false
  #keptBytes = 0
  #informational = 0
  #resume: (() => void) | null = null
  #headers: Record<string, string | string[]> | null = null
  #chunks: Buffer[] | null = null
  #body: ResponseBody | null = null

  get isKept (): boolean {
    return this.#isKept
  }

  /** Whether the client, not the upstream, is what we wait for. */
  get isPaused (): boolean {
    return this.#isPaused
  }

  onConnect (): void {
    // Given up while it waited for a connection. Throwing takes it off undici's queue and leaves the connection to the next.
    if (this.isOver) throw abandoned
    this.reused = this.client!.carried++ > 0
    this.sentAt = performance.now()
    if (this.reused) this.idleTime = this.sentAt - this.client!.freedAt
    else this.connectTime = this.client!.connectTimeSince(this.startedAt)
    const { exchange } = this
    this.client!.expectAnswer?.(exchange.upstreamPath === '*')
    const { timeouts } = exchange.route
    const hasUpload = exchange.outgoing!.body !== null
    if (!hasUpload) this.writtenAt = this.sentAt
    exchange.phase = hasUpload ? 'requestBody' : 'responseHeaders'
    exchange.phaseDue = this.sentAt + (hasUpload ? timeouts.idle : timeouts.head)
    this.owner.deadlines.arm(exchange)
  }

  onRequestSent (): void {
    const { exchange } = this
    if (exchange.phase !== 'requestBody' || this.isOver) return
    exchange.phase = 'responseHeaders'
    this.writtenAt = performance.now()
    exchange.phaseDue = this.writtenAt + exchange.route.timeouts.head
    this.owner.deadlines.arm(exchange)
  }

  onHeaders (statusCode: number, raw: Buffer[], resume: () => void): boolean {
    const { exchange } = this
    if (statusCode < 200) {
      relayInformational(statusCode, ++this.#informational, raw, exchange.reply.raw)
      return true
    }
    // First: a head that is refused is none.
    this.#headers = copyResponseHeaders(raw)
    this.headAt = performance.now()
    this.statusCode = statusCode
    this.#resume = resume
    if (this.isProbe) this.judge()
    if (statusCode === 304) restoreLength(this.#headers, this.client!)
    const { retry } = exchange.route
    if (retry !== null && retry.statuses !== null && retry.statuses.has(statusCode) && this.#isRefused()) return true
    exchange.attemptDue = Infinity
    exchange.phase = 'responseBody'
    exchange.phaseDue = this.headAt + exchange.route.timeouts.idle
    this.owner.deadlines.arm(exchange)
    if (exchange.route.responseLimit !== Infinity && announcedLength(exchange.method, statusCode, this.#headers) > exchange.route.responseLimit) {
      this.abandon(proxyError('http_response_body_size', 'responseBody'))
      return false
    }
    // What is whole by the end of this turn goes out without a stream; the head of the rest goes out then.
    atEndOfTurn(this)
    return true
  }

  /** 101: the connection is no longer undici's. */
  onUpgrade (statusCode: number, raw: Buffer[], socket: Duplex): void {
    this.headAt = performance.now()
    this.statusCode = statusCode
    this.#headers = switchProtocols(this, raw, socket, this.owner)
    if (this.isProbe) this.judge()
    this.outgrow()
    this.#handOverWhole()
  }

  onData (chunk: Buffer): boolean {
    const { exchange } = this
    if (this.#isKept) return this.#keepBack(chunk)
    exchange.bytesOut += chunk.length
    if (exchange.bytesOut > exchange.route.responseLimit) {
      this.abandon(proxyError('http_response_body_size', 'responseBody'))
      return false
    }
    const body = this.#body
    if (body === null) return this.#keep(chunk)
    exchange.phaseDue = performance.now() + exchange.route.timeouts.idle
    const hasRoom = body.isDirect ? body.give(chunk) : this.runInAsyncScope(body.give, body, chunk)
    giveBack(chunk, body, this.client!)
    return hasRoom || this.#pause()
  }

  onComplete (trailers: readonly (Buffer | string)[] | null): void {
    if (this.isOver) return
    // undici takes a reset for the end of a body that ends with its connection; but that is the end only where nothing went wrong
    // (RFC 9112 8).
    const { failure } = this.client!
    if (failure !== null) return this.#settle(proxyError('http_response_incomplete', 'responseBody', failure))
    if (trailers !== null && framesMessage(trailers)) this.cut()
    if (trailers !== null && trailers.length > 0 && !this.#isKept) {
      const named = nominatedBy(this.#headers!)
      this.hasTrailers = relayTrailers(trailers, this.exchange.route.rewrite === null ? named : withSums(named), this.exchange.reply.raw)
    }
    this.#complete()
  }

  onError (cause: Error): void {
    if (this.isOver) {
      this.forgotten()
      return
    }
    // undici misses the body that the Content-Length of a 304 tells of, and that never comes (RFC 9110 8.6).
    if (hasNoBody(this.statusCode) || isLengthInTrailers(this.statusCode, cause)) {
      this.#complete()
      return
    }
    // When it is the request's body that failed, undici is about to abort; see CountingClient.cut.
    this.cut()
    this.#settle(toProxyError(cause, phaseOf(this)))
  }

  /** Gives up: the upstream's connection is closed at once, and the owner goes on from `error`. */
  abandon (error: ProxyErrorLike): void {
    if (this.isOver) return
    this.giveUp()
    this.#settle(error)
  }

  /** Ends the body as if it were whole; only for streams whose readers come again (server-sent events). */
  finishEarly (): void {
    if (this.isOver) return
    this.dropped()
    this.#body?.finish()
  }

  wanted (): void {
    if (!this.#isPaused || this.isOver) return
    this.#isPaused = false
    this.exchange.phaseDue = performance.now() + this.exchange.route.timeouts.idle
    this.owner.deadlines.arm(this.exchange)
    this.#resume!()
  }

  /** What was kept back goes out: nothing better has come. */
  relay (): void {
    const { exchange } = this
    this.#isKept = false
    exchange.last = this
    exchange.bytesOut = this.#keptBytes
    exchange.attemptDue = Infinity
    exchange.phase = 'responseBody'
    if (this.isOver) {
      this.#deliver(performance.now())
      return
    }
    exchange.phaseDue = performance.now() + exchange.route.timeouts.idle
    this.owner.deadlines.arm(exchange)
    this.turnEnded()
  }

  /** Somebody put another payload in the body's place, or the client left: nobody failed. */
  dropped (): void {
    if (this.isOver) return
    this.giveUp()
    this.#end(null)
  }

  /** The body did not come whole with its head: the rest comes as a stream, and the head goes out now. */
  turnEnded (): void {
    if (this.#isHandedOver || this.isOver) return
    this.#isHandedOver = true
    this.#body = this.#stream()
    this.runInAsyncScope(this.owner.answered, this.owner, this, this.#headers!, this.#body)
  }

  /** Until the end of the turn, and no more than fits: a fast upstream could go on for as long as a turn lasts. */
  #keep (chunk: Buffer): boolean {
    (this.#chunks ??= []).push(chunk)
    const { bytesOut } = this.exchange
    if ((chunk.length <= LARGE && bytesOut <= WHOLE_LIMIT) || bytesOut === Number(this.#headers!['content-length'])) return true
    // There is more, and to gather it would be to copy it.
    this.turnEnded()
    giveBack(chunk, this.#body, this.client!)
    return this.#body === null || !this.#body.isFull || this.#pause()
  }

  #isRefused (): boolean {
    // Set first: what the owner does may end this attempt.
    this.#isKept = true
    this.#isKept = this.runInAsyncScope(this.owner.refused, this.owner, this, this.#headers!)
    return this.#isKept || this.isOver
  }

  #keepBack (chunk: Buffer): boolean {
    if (this.#chunks === null) this.#chunks = [chunk]
    else this.#chunks.push(chunk)
    this.#keptBytes += chunk.length
    this.#isPaused = this.#keptBytes > KEPT_LIMIT
    return !this.#isPaused
  }

  #complete (): void {
    this.#end(null)
    if (!this.#isKept) this.#deliver(this.endedAt)
  }

  #deliver (now: number): void {
    // From here on only the client can be slow.
    this.#isPaused = true
    const { exchange } = this
    const { deadlines } = this.owner
    if (this.#body !== null) {
      watchReader(exchange, deadlines, now)
      this.runInAsyncScope(this.#body.finish, this.#body)
      return
    }
    // What is whole mostly goes out in one piece: no need to look so soon.
    exchange.phaseDue = now + exchange.route.timeouts.write
    deadlines.arm(exchange)
    if (!this.#isHandedOver) this.#handOverWhole()
  }

  /** @returns false, which makes undici stop reading */
  #pause (): false {
    this.#isPaused = true
    watchReader(this.exchange, this.owner.deadlines, performance.now())
    return false
  }

  #handOverWhole (): void {
    this.#isHandedOver = true
    const payload = wholePayload(this, this.#headers!, this.#chunks, this.exchange.reply.raw)
    this.runInAsyncScope(this.owner.answered, this.owner, this, this.#headers!, payload)
    if (payload !== undefined) giveBackWhole(payload, this.exchange, this.client!)
  }

  #stream (): ResponseBody {
    const body = new ResponseBody(this, this.#chunks ?? [])
    this.#chunks = null
    return body
  }

  #end (error: ProxyErrorLike | null): void {
    this.close(error)
    this.owner.ended(this)
  }

  #settle (error: ProxyErrorLike): void {
    this.#end(error)
    // Nobody waits for it, and it is of no use any more.
    if (this.#isKept) {
      if (this.exchange.kept === this) this.exchange.kept = null
      return
    }
    if (!this.#isHandedOver) {
      this.#isHandedOver = true
      this.runInAsyncScope(this.owner.failed, this.owner, this)
      return
    }
    this.runInAsyncScope(this.owner.broke, this.owner, this)
    this.#body?.destroy(error)
  }
}

const abandoned = proxyError('client_closed_request', 'connect')
