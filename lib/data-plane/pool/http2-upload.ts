import type { ClientHttp2Stream, OutgoingHttpHeaders } from 'node:http2'
import type { Readable } from 'node:stream'
import { errors } from 'undici'
import { fitToHttp2 } from '../http2-fields.ts'

/** A body may bring trailers; it has them once it has ended. */
export type Body = Readable & { readonly trailers?: OutgoingHttpHeaders | null }

/** A request's body on its way into its stream, held to the length that the head tells of. */
export class Http2Upload {
  readonly #stream: ClientHttp2Stream
  readonly #body: Body
  /** -1 where the head tells of none. */
  readonly #length: number
  readonly #fail: (error: Error) => void
  #written = 0

  constructor (stream: ClientHttp2Stream, body: Body, length: number, fail: (error: Error) => void) {
    this.#stream = stream
    this.#body = body
    this.#length = length
    this.#fail = fail
    body.on('data', this.#onData).on('end', this.#onEnd).on('error', fail).on('close', this.#onClose)
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#written += chunk.length
    if (this.#length !== -1 && this.#written > this.#length) this.#fail(new errors.RequestContentLengthMismatchError())
    else if (!this.#stream.write(chunk)) this.#body.pause()
  }

  readonly #onEnd = (): void => {
    if (this.#length !== -1 && this.#written !== this.#length) this.#fail(new errors.RequestContentLengthMismatchError())
    else this.#stream.end()
  }

  readonly #onClose = (): void => {
    if (!this.#body.readableEnded) this.#fail(new errors.RequestAbortedError())
  }

  drained (): void {
    this.#body.resume()
  }

  /** Without those that HTTP/2 has no room for, as in a head. */
  get trailers (): OutgoingHttpHeaders {
    const trailers = { ...this.#body.trailers } as Record<string, string | string[]>
    fitToHttp2(trailers)
    return trailers
  }

  /** A body that was begun is of no use to anybody else. */
  stop (): void {
    const body = this.#body
    body.off('data', this.#onData).off('end', this.#onEnd).off('error', this.#fail).off('close', this.#onClose)
    // Also when it has failed already: that is told a tick later.
    body.on('error', nothing)
    // Not at once: a retry may first take over what is left of its source.
    if (!body.readableEnded) process.nextTick(destroy, body)
  }
}

function destroy (body: Readable): void {
  body.destroy()
}

function nothing (): void {}
