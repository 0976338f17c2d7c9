import { ServerResponse } from 'node:http'
import { Http2ServerResponse } from 'node:http2'
import { Readable } from 'node:stream'
import { isPlain } from './one-write.ts'

/** What a response body tells of its reader. */
export interface BodySource {
  /** The reader can take more. */
  wanted (): void
  /** The reader will take no more. */
  dropped (): void
}

/**
 * An upstream's body that did not come whole with its head. Where nothing stands between it and the client, chunks go straight
 * into the response; a hook that put a transform in between, or listens, reads it like any stream.
 */
export class ResponseBody extends Readable {
  readonly #source: BodySource
  /** What has come before anyone began to read; null from then on. */
  #held: Buffer[] | null
  #heldBytes = 0
  #isWhole = false
  /** Set once Fastify pipes it into the client's response itself. */
  #response: ServerResponse | null = null
  /** For its 'drain'. */
  #waits = false

  constructor (source: BodySource, held: Buffer[]) {
    // A full read of undici's sockets, so that one read fills it and does not just overflow it.
    super({ highWaterMark: 64 * 1024 })
    this.#source = source
    this.#held = held
    for (const chunk of held) this.#heldBytes += chunk.length
  }

  /** Whether chunks bypass the stream. */
  get isDirect (): boolean {
    return this.#response !== null
  }

  /** Whether the reader can take no more for now; `wanted` tells when it can. */
  get isFull (): boolean {
    if (this.#response !== null) return this.#waits
    return this.#held !== null && this.#heldBytes >= this.readableHighWaterMark
  }

  /** Sends what has been written, and tells whether the kernel has taken all of it: then no chunk is needed any more. */
  flush (): boolean {
    const response = this.#response
    const socket = response === null ? null : response.socket
    if (socket === null) return false
    // Node would write at the end of the tick, when the next read may have come.
    socket.uncork()
    return socket.writableLength === 0 && isPlain(response!)
  }

  /** @returns whether the reader can take more; if not, `wanted` tells when */
  give (chunk: Buffer): boolean {
    if (this.#held !== null) {
      this.#held.push(chunk)
      this.#heldBytes += chunk.length
      return !this.isFull
    }
    const response = this.#response
    if (response === null) return this.push(chunk)
    // Writing to a response that is gone would be an 'error' on it; nobody is going to want more.
    return !response.destroyed && this.#write(response, chunk)
  }

  /** The body is whole. */
  finish (): void {
    this.#isWhole = true
    const response = this.#response
    if (response !== null) this.#endStraight(response)
    else if (this.#held === null) this.push(null)
  }

  override _read (): void {
    if (this.#held === null) {
      this.#source.wanted()
      return
    }
    for (const chunk of this.#release()) this.push(chunk)
    if (this.#isWhole) this.push(null)
    else this.#source.wanted()
  }

  override _destroy (error: Error | null, callback: (error?: Error | null) => void): void {
    this.#source.dropped()
    // An onSend hook may have put another payload in its place: then nobody listens, and an 'error' would end the process.
    callback(this.listenerCount('error') === 0 ? null : error)
  }

  /**
   * Fastify has set the headers when it begins to pipe: they go out now, with what is there of the body, and not with a first
   * chunk that may be long in coming.
   */
  override pipe<T extends NodeJS.WritableStream> (destination: T, options?: { end?: boolean }): T {
    if (!(destination instanceof ServerResponse)) return this.#pipeElsewhere(destination, options)
    // Broke while a hook held the head back: nothing is out yet, and Fastify, which waits for this stream, can still answer with the error.
    if (this.destroyed) return destination
    // Held is what nobody has read: no hook has touched it.
    if (options?.end === false || this.#held === null || this.listenerCount('data') > 0) super.pipe(destination, options)
    else this.#goStraight(destination)
    // Not by flushHeaders(), which writes a head as UTF-8 (Node's `_send('')`): bytes above ASCII would come out as two.
    if (!destination.headersSent) destination.write(nothing)
    return destination
  }

  /** Into a stream of HTTP/2, whose own flow control a direct way would pass by, or into a transform. */
  #pipeElsewhere<T extends NodeJS.WritableStream> (destination: T, options?: { end?: boolean }): T {
    const isLost = this.destroyed
    super.pipe(destination, options)
    // Broke while a hook held the head back: as above.
    if (!isLost && destination instanceof Http2ServerResponse) (destination as unknown as ServerResponse).flushHeaders()
    return destination
  }

  #goStraight (response: ServerResponse): void {
    this.#response = response
    let hasRoom = true
    const held = this.#release()
    for (const chunk of held) hasRoom = this.#write(response, chunk)
    // Ending what has not begun would announce a length of 0, and leave trailers out.
    if (held.length === 0) response.write(nothing)
    if (this.#isWhole) this.#endStraight(response)
    else if (hasRoom) this.#source.wanted()
  }

  #release (): Buffer[] {
    const held = this.#held!
    this.#held = null
    return held
  }

  #write (response: ServerResponse, chunk: Buffer): boolean {
    // What is said, not what it looks like: app.inject() takes everything at once where nobody reads it as a stream, and then never drains.
    if (response.write(chunk)) return true
    // One listener, however many chunks come on top of a full buffer.
    if (!this.#waits) response.once('drain', this.#onDrain)
    this.#waits = true
    return false
  }

  #endStraight (response: ServerResponse): void {
    if (!response.destroyed) response.end()
    // Whoever waits for the end of the stream (Fastify does) is told.
    this.push(null)
    this.resume()
  }

  readonly #onDrain = (): void => {
    this.#waits = false
    this.#source.wanted()
  }
}

const nothing = new Uint8Array(0)
