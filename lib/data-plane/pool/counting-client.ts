import type { Socket } from 'node:net'
import { type buildConnector, Client, type Dispatcher, errors } from 'undici'
import type { Origin } from '../../model/origin.ts'
import type { Carried, Connection, Remote } from './connection.ts'
import { HeadSieve } from './head-sieve.ts'
import { editNextText } from './next-text.ts'
import { remoteOf } from './remote.ts'
import { shelvedAt } from './shelf.ts'
import { ReadingSocket } from './reading-socket.ts'

/** As undici writes the end of a chunked body; test/contract/undici-wire.test.ts holds it. */
const LAST_CHUNK = '\r\n0\r\n\r\n'

/**
 * A connection that knows how many requests it has carried, because a reset means something else on a connection that has
 * worked before: the upstream may just have closed it for being idle, and trying again is safe where it otherwise is not.
 */
export class CountingClient extends Client implements Connection {
  /** Requests written to the present socket. */
  carried = 0
  freedAt = 0

  readonly #connected: Set<CountingClient>
  readonly #recycleAfter: number
  readonly #origin: Origin
  readonly #headLimit: number
  #socket: Socket | null = null
  /** Of the present connection, or the last one. */
  remote: Remote | null = null
  /** When the present connection, or the attempt to make one, began, and when it stood. */
  #connectingAt = 0
  #connectedAt = 0
  #sieve: HeadSieve | null = null

  /**
   * @param connected all of one pool that have a connection; this one enters and leaves by itself
   * @param recycleAfter ms for which a connection is used; Infinity for as long as it lasts
   */
  constructor (
    origin: Origin, options: Client.Options & { connect: buildConnector.connector }, connected: Set<CountingClient>, recycleAfter: number
  ) {
    super(urlOf(origin), {
      ...options,
      connect: (request, callback) => {
        this.#connectingAt = performance.now()
        return options.connect(request, (...result) => {
          this.#enter(result[1])
          callback(...result)
        })
      }
    })
    this.#origin = origin
    this.#headLimit = options.maxHeaderSize!
    this.#connected = connected
    this.#recycleAfter = recycleAfter
  }

  /** What the present socket failed with; null while it is well, and after an orderly end. */
  get failure (): Error | null {
    return this.#socket === null ? null : this.#socket.errored
  }

  /** How long somebody who has waited since then waited for the connection to be made, rather than for its turn on it. */
  connectTimeSince (then: number): number {
    return Math.max(0, this.#connectedAt - Math.max(then, this.#connectingAt))
  }

  override dispatch (options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler & Partial<Carried>): boolean {
    handler.client = this
    // The last request of a connection says so (`Connection: close`), which costs it nothing; the next is made to where the name leads by then.
    if (this.#recycleAfter !== Infinity) options.reset = this.#socket !== null && !this.#socket.destroyed && performance.now() - this.#connectedAt > this.#recycleAfter
    const { silence } = handler
    // Here, and not where it is handed to the pool: undici makes its Request now, which is when others instrument it, and for one
    // that has waited that is in the scope of whoever had the connection before.
    const isHeard = silence === undefined || silence === null
    const hasRoom = isHeard ? super.dispatch(options, handler) : silence.quietly(() => super.dispatch(options, handler))
    // undici refuses a head that it cannot send without taking it in, and without a 'drain': its pool would pass over this client for good.
    return hasRoom || (handler.isOver === true && this.stats.size === 0 && !this.closed && !this.destroyed)
  }

  expectAnswer (isForAll: boolean): void {
    const sieve = this.#sieve
    if (sieve === null) return
    sieve.expect()
    if (isForAll) editNextText(this.#socket!, (text) => text.replace(/^OPTIONS \S+ /, 'OPTIONS * '))
  }

  get hiddenLength (): string | null {
    return this.#sieve === null ? null : this.#sieve.hiddenLength
  }

  endWith (trailers: string): void {
    if (this.#sieve === null || trailers === '') return
    editNextText(this.#socket!, (text) => text === LAST_CHUNK ? `\r\n0\r\n${trailers}\r\n` : text)
  }

  /**
   * Closes the present connection, and with it the request that it carries. undici's own `abort` leaves that request in its queue,
   * where it makes it open another connection for nobody.
   */
  cut (): void {
    this.#socket?.destroy(new errors.SocketError('given up'))
  }

  takeBack (chunk: Buffer): void {
    if (this.#socket instanceof ReadingSocket) this.#socket.takeBack(chunk)
  }

  /** The present connection has become somebody else's: it is not to be closed with what this client carries. */
  release (): void {
    if (this.#socket instanceof ReadingSocket) this.#socket.becomeStream()
    this.#socket = null
    this.#connected.delete(this)
  }

  /** Closes all connections of the pool that carry nothing: where one was stale, those beside it are no better. */
  cutIdle (): void {
    for (const client of this.#connected) {
      if (client.stats.size === 0) client.cut()
    }
  }

  #enter (socket: Socket | null): void {
    this.#socket = socket
    this.carried = 0
    this.remote = null
    if (socket === null) return
    // Now: a socket that is gone knows no more.
    this.remote = remoteOf(socket, this.#origin, false)
    this.#connectedAt = performance.now()
    const waitingSince = shelvedAt(socket)
    // It may have been closed meanwhile like any that is idle.
    if (waitingSince !== undefined) this.carried = 1
    this.freedAt = waitingSince ?? this.#connectedAt
    this.#sieve = new HeadSieve(socket, this.#headLimit)
    this.#connected.add(this)
    socket.once('close', () => {
      // A connection that became a tunnel outlives those after it.
      if (this.#socket === socket) this.#connected.delete(this)
    })
  }
}

/** undici asks its URL for the origin with every request, and a URL puts that together anew each time. */
function urlOf ({ isSecure, authority }: Origin): URL {
  const url = new URL(`${isSecure ? 'https' : 'http'}://${authority}`)
  return Object.defineProperty(url, 'origin', { value: url.origin })
}
