import { Readable } from 'node:stream'
import type { ServerResponse } from 'node:http'

/** What a response body tells of its reader. */
export interface BodySource {
  /** The reader can take more. */
  wanted (): void
  /** The reader will take no more. */
  dropped (): void
}

/** An upstream's body that did not come whole with its head. Pushed to by the attempt, which stops when it is full. */
export class ResponseBody extends Readable {
  readonly #source: BodySource

  constructor (source: BodySource) {
    // A full read of undici's sockets, so that one read fills it and does not just overflow it.
    super({ highWaterMark: 64 * 1024 })
    this.#source = source
  }

  override _read (): void {
    this.#source.wanted()
  }

  override _destroy (error: Error | null, callback: (error?: Error | null) => void): void {
    this.#source.dropped()
    // An onSend hook may have put another payload in its place: then nobody listens, and an 'error' would end the process.
    callback(this.listenerCount('error') === 0 ? null : error)
  }

  /** Fastify has set the headers when it begins to pipe; they go out now and not with the first chunk, which may be long in coming. */
  override pipe<T extends NodeJS.WritableStream> (destination: T, options?: { end?: boolean }): T {
    const result = super.pipe(destination, options)
    const { flushHeaders, headersSent } = destination as unknown as Partial<ServerResponse>
    if (flushHeaders !== undefined && headersSent !== true) flushHeaders.call(destination)
    return result
  }
}
