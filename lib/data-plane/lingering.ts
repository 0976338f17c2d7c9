import type { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { realTime, type Ticker, type Turning } from './timeouts.ts'

/*
 * The rest of an upload that has been answered. Node closes behind the last answer of a connection at once; the kernel then resets a client
 * that still sends, and takes the answer from one that has not read it (RFC 9112 9.6). So the rest is read and dropped first, within
 * bounds. test/contract/node-linger.test.ts holds every fact about Node that is leaned on here.
 */

/** ms between two looks. */
const TICK = 50
/** ms without a byte; Apache's as well. nginx has 5 s (lingering_timeout). */
const SILENCE = 2000
/** ms in all; nginx's lingering_time, and Apache's. */
const TOTAL = 30_000
/** As much as a link of 1 Gbit/s brings in half a second; nginx and Apache have no such bound. */
const BYTES = 64 * 1024 * 1024

/** On an upload: its response. A connection that kept it would have it outlive the exchange, and be the garbage collector's. */
const kAnswer: unique symbol = Symbol('sluice.answer')

interface Upload extends IncomingMessage { [kAnswer]?: ServerResponse }

/** A socket of an HTTP server, with the fields that Node keeps on it. */
interface HttpSocket extends Socket {
  parser?: { incoming: Upload | null, onIncoming: (request: IncomingMessage & { upgrade: boolean }) => number } | null
  server?: object
}

interface Rest {
  readonly socket: HttpSocket
  /** True where the connection ends with the upload; one that is kept goes on behind it. */
  readonly isLast: boolean
  due: number
  heardAt: number
  bytes: number
  readonly bytesDue: number
}

export class Lingering {
  readonly #rests = new Map<Socket, Rest>()
  readonly #closing = new WeakSet<object>()
  readonly #ticker: Ticker
  readonly #endSoon: (this: HttpSocket) => void
  #turning: Turning | null = null

  constructor (ticker: Ticker = realTime) {
    this.#ticker = ticker
    const linger = (socket: HttpSocket): boolean => this.#linger(socket)
    this.#endSoon = function endSoon (this: HttpSocket): void {
      if (!linger(this)) Socket.prototype.destroySoon.call(this)
    }
  }

  get size (): number {
    return this.#rests.size
  }

  has (socket: Socket): boolean {
    return this.#rests.has(socket)
  }

  /** Has a connection wait for the rest of this response's request, should the answer end both. */
  expect (response: ServerResponse): void {
    const upload: Upload = response.req
    if (!isUnderWay(upload)) return
    upload[kAnswer] = response
    const { socket } = upload
    if (socket.destroySoon !== this.#endSoon) socket.destroySoon = this.#endSoon
  }

  /** Bounds the rest of a request that has been answered on a connection which is kept: Node itself reads all of it. */
  bound (request: IncomingMessage): void {
    const socket = request.socket as HttpSocket
    if (!isUnderWay(request) || socket.parser?.incoming !== request || socket.destroyed || this.has(socket)) return
    this.#file(socket, request, false)
  }

  /** The server is closing: what lingers on it does so no longer than a silence may last. */
  drain (server: object): void {
    this.#closing.add(server)
    const due = this.#ticker.now() + SILENCE
    for (const rest of this.#rests.values()) {
      if (rest.socket.server === server) rest.due = Math.min(rest.due, due)
    }
  }

  /** In the place of `destroySoon`, which Node calls once the last answer is out. @returns whether there is anything to wait for */
  #linger (socket: HttpSocket): boolean {
    const parser = socket.parser ?? null
    if (parser === null || parser.incoming === null || socket.destroyed) return false
    const response = parser.incoming[kAnswer]
    // An upload behind the answer to an earlier request of a pipeline is answered by nobody.
    if (response === undefined || !response.writableFinished || response.req.complete) return false
    // No request is taken behind an answer that has said that it is the last.
    parser.onIncoming = ignoreNext
    // Only the end of its connection may tell a client of HTTP/1.0 that an answer is whole.
    if (response.req.httpVersionMinor === 0) socket.end()
    this.#file(socket, response.req, true)
    response.req.resume()
    return true
  }

  #file (socket: HttpSocket, request: IncomingMessage, isLast: boolean): void {
    const now = this.#ticker.now()
    const isClosing = socket.server !== undefined && this.#closing.has(socket.server)
    const due = now + (isClosing ? SILENCE : TOTAL)
    const { bytesRead } = socket
    this.#rests.set(socket, { socket, isLast, due, heardAt: now, bytes: bytesRead, bytesDue: bytesRead + BYTES })
    request.once('end', () => { this.#through(socket) })
    this.#turning ??= this.#ticker.every(TICK, () => { this.#look() })
  }

  /** The upload has been read to its end. */
  #through (socket: HttpSocket): void {
    const rest = this.#rests.get(socket)
    if (rest === undefined) return
    this.#rests.delete(socket)
    if (rest.isLast) Socket.prototype.destroySoon.call(socket)
  }

  #look (): void {
    const now = this.#ticker.now()
    for (const rest of this.#rests.values()) {
      const { socket } = rest
      const { bytesRead } = socket
      if (bytesRead !== rest.bytes) {
        rest.bytes = bytesRead
        rest.heardAt = now
      }
      const isOver = now >= rest.due || now - rest.heardAt >= SILENCE || bytesRead > rest.bytesDue
      if (!isOver && !socket.destroyed) continue
      this.#rests.delete(socket)
      socket.destroy()
    }
    if (this.#rests.size > 0) return
    this.#turning!.stop()
    this.#turning = null
  }
}

/** One for all apps of the process: a socket knows its server. */
export const lingering: Lingering = new Lingering()

/** Node calls a request complete some time after its head, also where nothing follows; so the head is asked as well. */
export function isUnderWay ({ complete, httpVersionMajor, headers }: IncomingMessage): boolean {
  return !complete && httpVersionMajor === 1 && (headers['transfer-encoding'] !== undefined || Number(headers['content-length']) > 0)
}

/** Node would make an upgrade of one that asks for it. */
function ignoreNext (request: IncomingMessage & { upgrade: boolean }): number {
  request.upgrade = false
  return 0
}
