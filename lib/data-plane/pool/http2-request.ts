import { constants, type ClientHttp2Stream } from 'node:http2'
import { Readable } from 'node:stream'
import { type Dispatcher, errors } from 'undici'
import type { Carried, Connection, Remote } from './connection.ts'
import type { Http2Connection } from './http2-connection.ts'
import { handleOf, keepUntilCollected } from './http2-handles.ts'
import { fieldsOf, named, requestFields } from './http2-head.ts'
import { type Body, Http2Upload } from './http2-upload.ts'
import { proxyError, type ProxyError } from '../../errors.ts'

const { NGHTTP2_CANCEL, NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_PROTOCOL_ERROR, NGHTTP2_HTTP_1_1_REQUIRED, NGHTTP2_REFUSED_STREAM } = constants

const kRequest = Symbol('sluice.request')

type Stream = ClientHttp2Stream & { [kRequest]: Http2Request }
type RawHeaders = readonly string[]
/** With what the legacy handlers of undici are told, and its types no longer know. */
export type Caller = Omit<Dispatcher.DispatchHandler, 'onComplete'> & Partial<Carried> & {
  onRequestSent?: () => void
  onComplete?: (trailers: Buffer[] | null) => void
}

/** One request on a stream of HTTP/2, told to the handler as undici tells of its own. */
export class Http2Request implements Connection {
  readonly #connection: Http2Connection
  readonly #options: Dispatcher.DispatchOptions
  readonly #handler: Caller
  #stream: Stream | null = null
  /** See `keepUntilCollected`. */
  #handle: object | undefined
  #upload: Http2Upload | null = null
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
    if (stream === null || stream.destroyed) return
    if (!this.#hasHead && !stream.closed) this.#connection.probe()
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
      const fields = requestFields(this.#options, this.#isForAll, this.#connection.authority)
      const hasBody = body !== null && body !== undefined
      // As undici says it: of no body, nothing.
      if (!hasBody && fields['content-length'] !== '0') delete fields['content-length']
      const length = fields['content-length'] === undefined ? -1 : Number(fields['content-length'])
      if (Buffer.isBuffer(body) && length !== -1 && length !== body.length) throw new errors.RequestContentLengthMismatchError()
      // Waiting for trailers keeps END_STREAM back, which Node would else send before the reset of a request that is given up.
      const stream = this.#connection.session.request(fields, { endStream: !hasBody, waitForTrailers: isStream }) as Stream
      this.#stream = stream
      stream[kRequest] = this
      // A stream has no handle before its session has written its preface.
      if (stream.pending) stream.once('ready', onReady)
      else this.opened()
      stream.push = push
      stream.on('headers', onInformational).on('response', onResponse).on('trailers', onTrailers).on('error', onError).on('close', onClose)
      if (isStream) {
        stream.on('finish', onFinish).on('drain', onDrain).on('wantTrailers', onWantTrailers)
        this.#upload = new Http2Upload(stream, body as Body, length, (error) => { this.#fail(error) })
      } else if (hasBody) stream.on('finish', onFinish).end(body)
    } catch (error) {
      if (this.#stream === null) this.#connection.release()
      this.#fail(named(error as NodeJS.ErrnoException))
    }
  }

  opened (): void {
    this.#handle = handleOf(this.#stream!)
    this.#connection.holdHandle()
  }

  drained (): void {
    this.#upload?.drained()
  }

  /** The body has been written; what it brought comes behind it, or the request does not end. */
  conclude (stream: ClientHttp2Stream): void {
    if (stream.destroyed || stream.closed) return
    try {
      stream.sendTrailers(this.#upload?.trailers ?? {})
    } catch (error) {
      this.#fail(named(error as NodeJS.ErrnoException))
    }
  }

  sent (): void {
    if (!this.#isOver) this.#handler.onRequestSent?.()
  }

  informed (statusCode: number, raw: RawHeaders): void {
    if (this.#isOver) return
    try {
      this.#handler.onHeaders!(statusCode, fieldsOf(raw, this.#connection.headLimit), nothing, '')
    } catch (error) {
      this.#fail(error as Error)
    }
  }

  answered (statusCode: number, raw: RawHeaders): void {
    if (this.#isOver) return
    const stream = this.#stream!
    this.#hasHead = true
    try {
      const wantsMore = this.#handler.onHeaders!(statusCode, fieldsOf(raw, this.#connection.headLimit), () => { stream.resume() }, '')
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
    try {
      this.#trailers = fieldsOf(raw, this.#connection.headLimit)
    } catch (error) {
      this.#fail(error as Error)
    }
  }

  wholeNow (): void {
    this.#isWhole = true
  }

  /** Ends a stream that was reset with NO_ERROR before its head. Nothing reads it to its end, at which alone Node closes it. */
  resetNow (): void {
    if (!this.#hasHead) this.#stream!.destroy()
  }

  ended (): void {
    if (this.#isOver) return
    // Reset with NO_ERROR: Node would wait for the rest of the upload.
    if (!this.#isWhole) {
      this.#stream!.destroy()
      return
    }
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
    if (!this.#isWhole) keepUntilCollected(this.#connection.handle, this.#handle)
    this.#connection.release()
    if (!this.#isOver) this.#fail(this.#reason())
  }

  /** Why a stream was closed before its end. */
  #reason (): ProxyError {
    const { rstCode, id } = this.#stream!
    const cause = this.#failure ?? this.#connection.failure ?? new Error(`the upstream reset the stream with code ${rstCode}`)
    if (this.#hasHead) return proxyError('http_response_incomplete', 'responseBody', cause)
    if (rstCode === NGHTTP2_REFUSED_STREAM || this.#connection.hasIgnored(id)) return proxyError('request_refused', 'connect', cause)
    if (rstCode === NGHTTP2_ENHANCE_YOUR_CALM || isTooLong(cause)) {
      return proxyError('http_response_header_section_size', 'responseHeaders', cause)
    }
    const isFaulty = rstCode === NGHTTP2_PROTOCOL_ERROR || rstCode === NGHTTP2_HTTP_1_1_REQUIRED || (cause as NodeJS.ErrnoException).code === 'ERR_HTTP2_ERROR'
    return proxyError(isFaulty ? 'http_protocol_error' : 'connection_terminated', 'responseHeaders', cause)
  }

  #fail (error: Error): void {
    if (this.#isOver) return
    this.#finish()
    const stream = this.#stream
    if (stream !== null && !stream.destroyed) setImmediate(cancel, stream)
    this.#handler.onError!(error)
  }

  /** From here on nothing is told any more. */
  #finish (): void {
    this.#isOver = true
    this.#upload?.stop()
    this.#upload = null
  }
}

/** A head in more frames than nghttp2 takes ends its session, without a word of its stream (test/contract/http2-session.test.ts). */
function isTooLong (cause: NodeJS.ErrnoException): boolean {
  return cause.errno === TOO_MANY_CONTINUATIONS
}

/** nghttp2's NGHTTP2_ERR_TOO_MANY_CONTINUATIONS, which Node does not export. */
const TOO_MANY_CONTINUATIONS = -905

// What Node calls, one function each for all streams.

function push (this: Stream, chunk: unknown): boolean {
  // Node ends a stream that was reset in the same way, but has marked it as closed by then (test/contract/http2.test.ts).
  if (chunk === null && !this.closed) this[kRequest].wholeNow()
  // Not at once: the head may be in the same read, and is told a tick later.
  // Node also ends each stream that it destroys, which needs nothing.
  else if (chunk === null && !this.destroyed) setImmediate(reset, this)
  return Readable.prototype.push.call(this, chunk)
}

function reset (stream: Stream): void {
  stream[kRequest].resetNow()
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

function onReady (this: Stream): void {
  this[kRequest].opened()
}

function onDrain (this: Stream): void {
  this[kRequest].drained()
}

function onWantTrailers (this: Stream): void {
  this[kRequest].conclude(this)
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
  // One that the upstream has reset takes no code, and with NO_ERROR stays until its upload has ended.
  if (stream.closed) stream.destroy()
  else stream.close(NGHTTP2_CANCEL)
  // Node keeps a stream, and its session, until its last byte has been read.
  stream.resume()
}

function nothing (): void {}
