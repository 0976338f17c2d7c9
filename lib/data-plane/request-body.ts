import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import type { ProxyExchange } from '../model/exchange.ts'
import type { Carried } from './pool/connection.ts'
import { type Replay, replayOf } from './retry/replay.ts'
import type { Deadlines } from './timeouts.ts'
import { dropSaid, hasFaultyTrailer, readTrailers, trailerLines, type Trailers } from './trailers.ts'
import { proxyError } from '../errors.ts'

/**
 * The client's body on its way to undici. Never the client's own stream: undici destroys the body of a request that fails, and
 * destroying an IncomingMessage takes the client's connection with it, answer and all. It counts, bounds and times on the way.
 */
export class RequestBody extends Readable {
  readonly #source: Readable
  readonly #exchange: ProxyExchange
  readonly #deadlines: Deadlines
  /** What its connection had read before it; -1 where it is not chunked by its client. */
  readonly #readBefore: number
  /** null: what has been read cannot be sent again. */
  #replay: Replay | null
  #isStarted = false
  /** Whether another one has taken the client's body over. */
  #isReplaced = false
  /** Whether the upstream, not the client, is what we wait for. */
  isBlocked = false
  /** What came behind it; null until its end. */
  trailers: Trailers | null = null

  /** @param replay what has been read of the source before */
  constructor (source: Readable, exchange: ProxyExchange, deadlines: Deadlines, replay: Replay | null = null) {
    super()
    this.#replay = replay
    this.#source = source
    this.#exchange = exchange
    this.#deadlines = deadlines
    const { raw } = exchange.request
    // undici begins to read before it listens, and does not listen at all where the attempt is over by then: an 'error' would end the process.
    this.on('error', ignore)
    // Somebody else listens too: until undici wants the first of it, nothing is to pass.
    if (source.readableFlowing === true) source.pause()
    this.#readBefore = source === raw && raw.headers['transfer-encoding'] !== undefined ? raw.socket.bytesRead : -1
  }

  override _read (): void {
    if (!this.#isStarted) {
      this.#start()
      return
    }
    this.isBlocked = false
    this.#touch(this.#exchange.route.timeouts.idle)
    this.#source.resume()
  }

  /** Whether some of the client's body may be gone: sent, or dropped with what is left of it. */
  get isSpent (): boolean {
    return this.#isStarted || this.destroyed
  }

  /**
   * The same body for another attempt; undici destroys this one.
   */
  renewed (): RequestBody {
    if (!this.#isStarted) return this
    this.#isReplaced = true
    this.#detach()
    this.#source.pause()
    return new RequestBody(this.#source, this.#exchange, this.#deadlines, this.#replay)
  }

  #start (): void {
    this.#isStarted = true
    const source = this.#source
    const isReadByOthers = this.#replay === null && source.readableDidRead && (source.readableEnded || source.listenerCount('data') > 0)
    source.on('data', this.#onData).on('end', this.#onEnd).on('error', this.#onError).on('close', this.#onClose)
    if (this.#replay === null) {
      const { retry } = this.#exchange.route
      this.#replay = retry === null ? null : replayOf(this.#exchange, retry.mayRepeat(this.#exchange) || mayBeRefused(this.#exchange))
      this.#exchange.isReplayable = this.#replay !== null
      // A hook that listens too, while others take their time: what has passed by is gone, and the rest would go for all of it.
      if (isReadByOthers) this.destroy(proxyError('client_body_error', 'requestBody', new Error('a hook has read of the body')))
      else if (source.readableEnded) this.#onEnd()
      else if (source.isPaused()) source.resume()
      return
    }
    for (const chunk of this.#replay.chunks) this.push(chunk)
    if (source.readableEnded) this.#onEnd()
    else if (source.destroyed) this.#onClose()
    else source.resume()
  }

  readonly #onData = (chunk: Buffer): void => {
    const exchange = this.#exchange
    exchange.bytesIn += chunk.length
    if (this.#replay !== null && !this.#replay.add(chunk)) {
      this.#replay = null
      exchange.isReplayable = false
    }
    if (exchange.route.bodyLimit > 0 && exchange.bytesIn > exchange.route.bodyLimit) {
      this.destroy(proxyError('content_too_large', 'requestBody'))
      return
    }
    if (this.#readBefore !== -1 && isMostlyFraming(exchange.request.raw.socket.bytesRead - this.#readBefore, exchange.bytesIn)) {
      this.destroy(proxyError('client_body_error', 'requestBody', new Error('the chunks are mostly extensions')))
      return
    }
    if (this.push(chunk)) {
      this.#touch(exchange.route.timeouts.idle)
      return
    }
    this.#source.pause()
    this.isBlocked = true
    this.#touch(exchange.route.timeouts.write)
  }

  readonly #onEnd = (): void => {
    const { raw } = this.#exchange.request
    // A stream that its client resets with NO_ERROR ends, to Node, like one that is whole.
    if (raw.httpVersionMajor === 2 && raw.aborted) {
      this.destroy(proxyError('client_body_error', 'requestBody'))
      return
    }
    // A body that a hook has changed is not the one that they speak of.
    if (this.#source === raw && raw.rawTrailers.length > 0) {
      if (hasFaultyTrailer(raw.rawTrailers)) {
        this.destroy(proxyError('http_request_error', 'requestBody', new Error('a trailer field has characters that none may have')))
        return
      }
      this.#takeTrailers(raw)
    }
    this.push(null)
  }

  /** They follow the last chunk, which undici writes as soon as it has read the end. */
  #takeTrailers (raw: IncomingMessage): void {
    const { outgoing, last } = this.#exchange
    const trailers = readTrailers(raw.rawTrailers, raw.headers['connection'])
    if (trailers === null) return
    dropSaid(trailers, outgoing!.headers, this.#exchange.route.owned)
    this.trailers = trailers;
    (last as Partial<Carried> | null)?.client?.endWith?.(trailerLines(trailers))
  }

  readonly #onError = (cause: Error): void => {
    this.destroy(proxyError('client_body_error', 'requestBody', cause))
  }

  readonly #onClose = (): void => {
    if (!this.#source.readableEnded) this.destroy(proxyError('client_body_error', 'requestBody'))
  }

  /** Only while the upload is what the exchange waits for: an upstream may answer before it has read everything. */
  #touch (timeout: number): void {
    const exchange = this.#exchange
    if (exchange.phase !== 'requestBody') {
      // Both sides of a call of gRPC speak when they like, and one that listens is not idle.
      if (exchange.isGrpc && exchange.phase === 'responseBody' && !(exchange.last as unknown as Listening).isPaused) exchange.phaseDue = performance.now() + timeout
      return
    }
    exchange.phaseDue = performance.now() + timeout
    this.#deadlines.arm(exchange)
  }

  override _destroy (error: Error | null, callback: (error?: Error | null) => void): void {
    if (!this.#isReplaced) {
      if (this.#isStarted) this.#detach()
      // What is left is read and dropped: an answer written to a client that still sends would be lost to a reset.
      this.#source.resume()
    }
    callback(error)
  }

  #detach (): void {
    this.#source.off('data', this.#onData).off('end', this.#onEnd).off('error', this.#onError).off('close', this.#onClose)
    // Nobody may be listening any more when the client breaks off the rest.
    this.#source.on('error', ignore)
  }
}

/** The attempt; whether it is the client that is waited for. */
interface Listening { readonly isPaused: boolean }

/**
 * Chunk extensions cost those who read them and say nothing (RFC 9112 7.1.1). Node bounds them for each chunk; for all chunks together
 * they may be 16 bytes per byte of content, beside what one read of the socket may have brought along (CVE-2023-39326).
 */
function isMostlyFraming (received: number, content: number): boolean {
  return received - content > SLACK + content * 16
}

/** Bytes: a full read of a socket, and as much as Node lets one chunk's extensions be. */
const SLACK = (64 + 16) * 1024

function ignore (): void {}

/** Over HTTP/2 an upstream may say that it has done nothing with what it was sent, and then any method may be sent again (RFC 9113 8.7). */
function mayBeRefused ({ last }: ProxyExchange): boolean {
  return (last as Partial<Carried> | null)?.client?.remote?.isH2 === true
}
