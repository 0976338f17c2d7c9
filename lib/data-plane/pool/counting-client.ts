import type { Socket } from 'node:net'
import { type buildConnector, Client, type Dispatcher } from 'undici'

/** Told which connection carries it. */
export interface Carried {
  client: CountingClient | null
}

/**
 * A connection that knows how many requests it has carried, because a reset means something else on a connection that has
 * worked before: the upstream may just have closed it for being idle, and trying again is safe where it otherwise is not.
 */
export class CountingClient extends Client {
  /** Requests written to the present socket. */
  carried = 0

  #socket: Socket | null = null

  constructor (origin: URL | string, options: Client.Options & { connect: buildConnector.connector }) {
    super(origin, {
      ...options,
      connect: (request, callback) => options.connect(request, (...result) => {
        this.#socket = result[1]
        this.carried = 0
        callback(...result)
      })
    })
  }

  /** What the present socket failed with; null while it is well, and after an orderly end. */
  get failure (): Error | null {
    return this.#socket === null ? null : this.#socket.errored
  }

  override dispatch (options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler & Partial<Carried>): boolean {
    handler.client = this
    return super.dispatch(options, handler)
  }
}
