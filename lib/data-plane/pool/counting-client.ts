import { Client, type Dispatcher } from 'undici'

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

  constructor (origin: URL | string, options: Client.Options) {
    super(origin, options)
    this.on('connect', this.#startOver)
  }

  override dispatch (options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler & Partial<Carried>): boolean {
    handler.client = this
    return super.dispatch(options, handler)
  }

  #startOver (): void {
    this.carried = 0
  }
}
