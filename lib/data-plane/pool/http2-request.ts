import { constants, type ClientHttp2Stream, type OutgoingHttpHeaders } from 'node:http2'
import { Readable } from 'node:stream'
import { type Dispatcher, errors } from 'undici'
import type { Carried, Connection, Remote } from './connection.ts'
import type { Http2Connection } from './http2-connection.ts'
import { fieldsOf, named, requestFields } from './http2-head.ts'
import { proxyError, type ProxyError } from '../../errors.ts'

const { NGHTTP2_CANCEL, NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_PROTOCOL_ERROR, NGHTTP2_HTTP_1_1_REQUIRED, NGHTTP2_REFUSED_STREAM } = constants

const kRequest = Symbol('sluice.request')

type Stream = ClientHttp2Stream & { [kRequest]: Http2Request }
type RawHeaders = readonly string[]
/** A body may bring trailers; it has them once it has ended. */
type Body = Readable & { readonly trailers?: OutgoingHttpHeaders | null }
/** With what the legacy handlers of undici are told, and its types no longer know. */
export type Caller = Omit<Dispatcher.DispatchHandler, 'onComplete'> & Partial<Carried> & {
  onRequestSent?: () => void
  onComplete?: (trailers: Buffer[] | null) => void
  /** Given up by now; of an attempt. */
  readonly isOver?: boolean
}

/** One request on a stream of HTTP/2, told to the handler as undici tells of its own. */
export class Http2Request implements Connection {
  readonly #connection: Http2Connection
  readonly #options: Dispatcher.DispatchOptions
  readonly #handler: Caller
  #stream: Stream | null = null
  #body: Body | null = null
  #isOver = false
  #hasHead = false
  /** Whether the target is `*`; see Connection. */
  #isForAll = false
  /** Whether END_STREAM came. To Node, a reset with NO_ERROR is an end as well. */
  #isWhole = false
  #trailers: Buffer[] | null = null
  #failure: Error | null = null

  constructor (connection: Http2Connection, options: Dispatcher.DispatchOptions, handler: Caller) {
    this.#connection = connection
    this.#options = options
    this.#handler = handler
  }

  // As an attempt sees it ──────────────────────────────────────────────────

  get carried (): number {
    return this.#connection.carried
  }

  set carried (count: number) {
    this.#connection.carried = count
  }

  /** A connection that carries others as well has not been idle. */
  get freedAt (): number {
    return this.#connection.active > 1 ? performance.now() : this.#connection.freedAt
  }

  set freedAt (time: number) {
    this.#connection.freedAt = time
  }

  /** An end that was none is told of as an error here. */
  get failure (): null {
    return null
  }

  connectTimeSince (then: number): number {
    const { connectedAt, connectingAt } = this.#connection
    return Math.max(0, connectedAt - Math.max(then, connectingAt))
  }

  cut (): void {
    if (!this.#isOver) this.#finish()
    const stream = this.#stream
    if (stream === null || stream.closed) return
    if (!this.#hasHead) this.#connection.probe()
    setImmediate(cancel, stream)
  }

  get remote (): Remote {
    return this.#connection.remote
  }

  expectAnswer (isForAll: boolean): void {
    this.#isForAll = isForAll
  }

  cutIdle (): void {
    this.#connection.cutIdle()
  }

  // ────────────────────────────────────────────────────────────────────────

  begin (): void {
    const handler = this.#handler
    const { body } = this.#options
    handler.client = this
    try {
      handler.onConnect!((error) => { this.#fail(error ?? new errors.RequestAbortedError()) })
      if (this.#isOver) throw new errors.RequestAbortedError()
      const isStream = body instanceof Readable
      // Waiting for trailers keeps END_STREAM back, which Node would else send before the reset of a request that is given up.
      const stream = this.#connection.session.request(requestFields(this.#options, this.#isForAll), { endStream: body === null || body === undefined, waitForTrailers: isStream }) as Stream
      this.#stream = stream
      stream[kRequest] = this
      stream.push = push
      stream.on('headers', onInformational).on('response', onResponse).on('trailers', onTrailers).on('error', onError).on('close', onClose)
      if (isStream) this.#send(stream, body)
      else if (body !== null && body !== undefined) stream.on('finish', onFinish).end(body)
    } catch (error) {
      if (this.#stream === null) this.#connection.release()
      this.#fail(named(error as NodeJS.ErrnoException))
    }
  }

  #send (stream: Stream, body: Body): void {
    this.#body = body
    stream.on('finish', onFinish).on('drain', onDrain).on('wantTrailers', onWantTrailers)
    body.on('data', this.#onData).on('end', this.#onEnd).on('error', this.#onBodyError).on('close', this.#onBodyClose)
  }

  readonly #onData = (chunk: Buffer): void => {
    if (!this.#stream!.write(chunk)) this.#body!.pause()
  }

  readonly #onEnd = (): void => {
    this.#stream!.end()
  }

  readonly #onBodyError = (error: Error): void => {
    this.#fail(error)
  }

  readonly #onBodyClose = (): void => {
    if (!this.#body!.readableEnded) this.#fail(new errors.RequestAbortedError())
  }

  drained (): void {
    this.#body?.resume()
  }

  get requestTrailers (): OutgoingHttpHeaders {
    return this.#body?.trailers ?? {}
  }

  sent (): void {
    if (!this.#isOver) this.#handler.onRequestSent?.()
  }

  informed (statusCode: number, raw: RawHeaders): void {
    if (this.#isOver) return
    try {
      this.#handler.onHeaders!(statusCode, fieldsOf(raw), nothing, '')
    } catch (error) {
      this.#fail(error as Error)
    }
  }

  answered (statusCode: number, raw: RawHeaders): void {
    if (this.#isOver) return
    const stream = this.#stream!
    this.#hasHead = true
    try {
      const wantsMore = this.#handler.onHeaders!(statusCode, fieldsOf(raw), () => { stream.resume() }, '')
      // Not earlier: then a chunk could come before the head.
      stream.on('data', onData).on('end', onEnd)
      if (!wantsMore) stream.pause()
    } catch (error) {
      this.#fail(error as Error)
    }
  }

  arrived (chunk: Buffer): void {
    if (!this.#isOver && !this.#handler.onData!(chunk)) this.#stream!.pause()
  }

  trailed (raw: RawHeaders): void {
    this.#trailers = fieldsOf(raw)
  }

  wholeNow (): void {
    this.#isWhole = true
  }

  ended (): void {
    if (this.#isOver || !this.#isWhole) return
    const isSent = this.#stream!.writableEnded
    this.#finish()
    // The answer came before the end of the request, whose rest nobody waits for (RFC 9113 8.1).
    if (!isSent) setImmediate(cancel, this.#stream!)
    this.#handler.onComplete!(this.#trailers)
  }

  failedWith (error: Error): void {
    this.#failure = error
  }

  closed (): void {
    this.#connection.release()
    if (!this.#isOver) this.#fail(this.#reason())
  }

  /** Why a stream was closed before its end. */
  #reason (): ProxyError {
    const { rstCode, id } = this.#stream!
    const cause = this.#failure ?? this.#connection.failure ?? new Error(`the upstream reset the stream with code ${rstCode}`)
    if (this.#hasHead) return proxyError('http_response_incomplete', 'responseBody', cause)
    if (rstCode === NGHTTP2_REFUSED_STREAM || this.#connection.hasIgnored(id)) return proxyError('request_refused', 'connect', cause)
    if (rstCode === NGHTTP2_ENHANCE_YOUR_CALM) return proxyError('http_response_header_section_size', 'responseHeaders', cause)
    const isFaulty = rstCode === NGHTTP2_PROTOCOL_ERROR || rstCode === NGHTTP2_HTTP_1_1_REQUIRED || (cause as NodeJS.ErrnoException).code === 'ERR_HTTP2_ERROR'
    return proxyError(isFaulty ? 'http_protocol_error' : 'connection_terminated', 'responseHeaders', cause)
  }

  #fail (error: Error): void {
    if (this.#isOver) return
    this.#finish()
    const stream = this.#stream
    if (stream !== null && !stream.closed) setImmediate(cancel, stream)
    this.#handler.onError!(error)
  }

  /** From here on nothing is told any more. A body that was begun is of no use to anybody else. */
  #finish (): void {
    this.#isOver = true
    const body = this.#body
    if (body === null) return
    this.#body = null
    body.off('data', this.#onData).off('end', this.#onEnd).off('error', this.#onBodyError).off('close', this.#onBodyClose)
    // Also when it has failed already: that is told a tick later.
    body.on('error', nothing)
    // Not at once: a retry may first take over what is left of its source.
    if (!body.readableEnded) process.nextTick(destroy, body)
  }
}

// What Node calls, one function each for all streams.

function push (this: Stream, chunk: unknown): boolean {
  // Node ends a stream that was reset in the same way, but has marked it as closed by then (test/contract/http2.test.ts).
  if (chunk === null && !this.closed) this[kRequest].wholeNow()
  return Readable.prototype.push.call(this, chunk)
}

function onInformational (this: Stream, fields: { ':status'?: number }, _flags: number, raw?: RawHeaders): void {
  this[kRequest].informed(fields[':status'] ?? 0, raw!)
}

function onResponse (this: Stream, fields: { ':status'?: number }, _flags: number, raw?: RawHeaders): void {
  this[kRequest].answered(fields[':status'] ?? 0, raw!)
}

function onData (this: Stream, chunk: Buffer): void {
  this[kRequest].arrived(chunk)
}

function onTrailers (this: Stream, _fields: object, _flags: number, raw?: RawHeaders): void {
  this[kRequest].trailed(raw!)
}

function onEnd (this: Stream): void {
  this[kRequest].ended()
}

function onFinish (this: Stream): void {
  this[kRequest].sent()
}

function onDrain (this: Stream): void {
  this[kRequest].drained()
}

function onWantTrailers (this: Stream): void {
  if (this.destroyed || this.closed) return
  try {
    this.sendTrailers(this[kRequest].requestTrailers)
  } catch {
    // A name or value that Node does not send; the body stands without it.
    this.sendTrailers({})
  }
}

function onError (this: Stream, error: Error): void {
  this[kRequest].failedWith(error)
}

function onClose (this: Stream): void {
  this[kRequest].closed()
}

/**
 * Always as an immediate: while the session reads, Node 24 puts off a reset with CANCEL until it has read all, but ends the stream at once;
 * and an upload that was given up would be a whole one (test/contract/http2.test.ts).
 */
function cancel (stream: Stream): void {
  stream.close(NGHTTP2_CANCEL)
}

function destroy (body: Readable): void {
  body.destroy()
}

function nothing (): void {}
