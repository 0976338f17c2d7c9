import type { Socket } from 'node:net'
import type { buildConnector } from 'undici'
import { unawaited } from '../../model/unawaited.ts'

export interface ShelfSettings {
  /** Connections that the pool is to have at all times, those that carry requests included. */
  readonly warm: number
  /** The most that it may have. */
  readonly limit: number
  /** Milliseconds after which one is replaced; Infinity for never. */
  readonly recycleAfter: number
  /** Milliseconds for which one that is kept beyond `warm` waits for its request. */
  readonly idleTimeout: number
}

/** Pauses between attempts to open connections that could not be opened, in ms: the first, and the longest. */
const FIRST_PAUSE = 250
const LONGEST_PAUSE = 10_000

/** Sockets that have waited here, and since when: their first request may find them closed, as a later one may that of any other. */
const shelved = new WeakMap<Socket, number>()

/** When this connection was made, if that was before there was a request for it. */
export function shelvedAt (socket: Socket): number | undefined {
  return shelved.get(socket)
}

/**
 * Connections that are made ahead, TLS included, and wait for their first request. undici makes connections only for requests; its clients
 * take theirs from here first.
 */
export class Shelf {
  readonly #open: (callback: buildConnector.Callback) => void
  readonly #settings: ShelfSettings
  /** Connections that carry requests, or may. */
  readonly #inUse: () => number
  readonly #sockets: Socket[] = []
  /** What undoes the shelf's listening, by socket. */
  readonly #forget = new Map<Socket, () => void>()
  /** Clients that came while connections for the shelf were being made; they get those. */
  readonly #waiting: buildConnector.Callback[] = []
  #opening = 0
  #pause = FIRST_PAUSE
  #timer: NodeJS.Timeout | null = null
  #isKept = false
  #isClosed = false

  constructor (open: (callback: buildConnector.Callback) => void, settings: ShelfSettings, inUse: () => number) {
    this.#open = open
    this.#settings = settings
    this.#inUse = inUse
  }

  get size (): number {
    return this.#sockets.length
  }

  /** Gives the callback a connection, now or soon; false if there is none and none is being made. */
  take (callback: buildConnector.Callback): boolean {
    // The last is the youngest.
    const socket = this.#sockets.at(-1)
    if (socket !== undefined) {
      this.#remove(socket)
      // undici does not expect its answer before it has asked to the end.
      queueMicrotask(() => { callback(null, socket) })
      return true
    }
    if (this.#opening <= this.#waiting.length) return false
    this.#waiting.push(callback)
    return true
  }

  /**
   * Opens connections until there are so many, at least one in any case, unless there is no room for it.
   * @returns whether one could be opened, or none was needed. Never rejects
   */
  async fill (count: number): Promise<boolean> {
    const total = this.#inUse() + this.#sockets.length + this.#opening
    const missing = Math.min(Math.max(1, count - total), this.#settings.limit - total)
    if (missing <= 0) return true
    const results = await Promise.all(Array.from({ length: missing }, () => this.#openOne()))
    return results.includes(true)
  }

  /** From here on `warm` connections are kept. */
  async keep (): Promise<void> {
    this.#isKept = true
    if (this.#settings.warm > 0) await this.fill(this.#settings.warm)
    this.replenish()
  }

  /** Something was taken or closed; called by whoever did it. */
  replenish (): void {
    if (!this.#isKept || this.#isClosed || this.#timer !== null) return
    const missing = this.#settings.warm - this.#inUse() - this.#sockets.length - this.#opening
    if (missing <= 0) return
    this.#timer = setTimeout(() => {
      this.#timer = null
      const missing = this.#settings.warm - this.#inUse() - this.#sockets.length - this.#opening
      for (let count = 0; count < missing; count++) unawaited('opening connections ahead', this.#openOne())
    }, this.#pause).unref()
  }

  close (): void {
    this.#isClosed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    for (const socket of [...this.#sockets]) socket.destroy()
  }

  #openOne (): Promise<boolean> {
    this.#opening++
    return new Promise((resolve) => {
      const opened: buildConnector.Callback = (...result) => {
        this.#opening--
        const [error, socket] = result
        this.#pause = error === null ? FIRST_PAUSE : Math.min(this.#pause * 2, LONGEST_PAUSE)
        const waiting = this.#waiting.shift()
        if (waiting !== undefined) waiting(...result)
        else if (socket !== null && this.#isClosed) socket.destroy()
        else if (socket !== null) this.#put(socket)
        this.replenish()
        resolve(error === null)
      }
      try {
        this.#open(opened)
      } catch (error) {
        // TLS options that Node does not take are no connection, either.
        opened(error as Error, null)
      }
    })
  }

  #put (socket: Socket): void {
    this.#sockets.push(socket)
    shelved.set(socket, performance.now())
    const { warm, recycleAfter, idleTimeout } = this.#settings
    const isExtra = this.#inUse() + this.#sockets.length > warm
    const waits = isExtra ? Math.min(idleTimeout, recycleAfter) : recycleAfter
    const timer = waits === Infinity ? null : setTimeout(() => { socket.destroy() }, waits).unref()
    const closed = (): void => {
      this.#remove(socket)
      this.replenish()
    }
    const ended = (): void => { socket.destroy() }
    // What an upstream says before it was asked for anything (a 408, mostly) means that the connection is of no use.
    const spoke = (): void => { if (socket.read() !== null) socket.destroy() }
    socket.once('close', closed)
    socket.once('end', ended)
    // But HTTP/2 begins with the upstream's settings.
    if ((socket as { alpnProtocol?: unknown }).alpnProtocol !== 'h2') socket.on('readable', spoke)
    this.#forget.set(socket, () => {
      if (timer !== null) clearTimeout(timer)
      socket.off('close', closed)
      socket.off('end', ended)
      socket.off('readable', spoke)
    })
  }

  #remove (socket: Socket): void {
    this.#sockets.splice(this.#sockets.indexOf(socket), 1)
    this.#forget.get(socket)!()
    this.#forget.delete(socket)
  }
}
