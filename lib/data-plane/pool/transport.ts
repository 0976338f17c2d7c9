import { Socket } from 'node:net'
import { errors } from 'undici'
import type { Origin } from '../../model/origin.ts'
import { type ForwardProxy, openTunnel, readProxy } from './forward-proxy.ts'
import type { PoolConfig } from './index.ts'
import { TlsClient } from './tls-client.ts'

/** ms of silence before TCP asks whether the other side is still there; undici's own. */
const KEEP_ALIVE_DELAY = 60_000

/** A connection that is being made. */
export interface Opening {
  destroy (error: Error): void
}

export type Opened = (error: Error | null, socket: Socket | null) => void

/** Opens a pool's connections: over TCP, a Unix socket, or a tunnel through a forward proxy, with TLS in it for https origins. */
export class Transport {
  readonly #origin: Origin
  readonly #connectTimeout: number
  readonly #tls: TlsClient | null
  readonly #proxy: ForwardProxy | null
  readonly #proxyTls: TlsClient | null
  readonly #makeSocket: () => Socket

  /** @param makeSocket for connections that lead straight to the endpoint, without TLS */
  constructor (
    origin: Origin, { connectTimeout, tls, proxy }: PoolConfig, protocols: string[], makeSocket: () => Socket = () => new Socket()
  ) {
    this.#origin = origin
    this.#connectTimeout = connectTimeout
    this.#makeSocket = makeSocket
    this.#tls = origin.isSecure ? new TlsClient(tls?.servername ?? origin.hostname, tls, protocols) : null
    this.#proxy = proxy === undefined ? null : readProxy(proxy)
    // The client's certificate and `servername` are the endpoints' business.
    const { cert, key, passphrase, pfx, ...trust } = tls ?? {}
    this.#proxyTls = this.#proxy?.isSecure === true ? new TlsClient(this.#proxy.hostname, trust, ['http/1.1']) : null
  }

  get isSecure (): boolean {
    return this.#tls !== null
  }

  /**
   * Opens a connection, bounded in time to the millisecond: undici's own connect timeout runs on a coarse clock and fires up to a second
   * late. Name resolution, TCP, the proxy and TLS all count.
   * @param opened called once, not at once
   */
  open (opened: Opened): Opening {
    const making = new Making(this.#connectTimeout, opened)
    if (this.#proxy === null) this.#openDirectly(making)
    else this.#openThrough(this.#proxy, making)
    return making
  }

  #openDirectly (making: Making): void {
    const { hostname: host, port, socketPath } = this.#origin
    if (this.#tls !== null) {
      making.add(this.#tls.connect({ host, port: port! }), 'secureConnect', (socket) => { making.finish(null, socket) })
      return
    }
    const socket = this.#makeSocket()
    socket.connect(socketPath === null ? { host, port: port! } : { path: socketPath })
    making.add(socket, 'connect', () => { making.finish(null, socket) })
  }

  #openThrough (proxy: ForwardProxy, making: Making): void {
    const { hostname: host, port } = proxy
    const tls = this.#tls
    const ask = (socket: Socket): void => {
      openTunnel(socket, proxy, this.#origin, (error) => {
        if (error !== null) making.destroy(error)
        else if (tls === null) making.finish(null, socket)
        else making.add(tls.connect({ socket }), 'secureConnect', (secure) => { making.finish(null, secure) })
      })
    }
    if (this.#proxyTls !== null) making.add(this.#proxyTls.connect({ host, port }), 'secureConnect', ask)
    else making.add(new Socket().connect({ host, port }), 'connect', ask)
  }
}

/** One connection on its way, socket upon socket; the first thing that goes wrong is what it fails with. */
class Making implements Opening {
  readonly #opened: Opened
  readonly #timer: NodeJS.Timeout
  /** The uppermost one. */
  #socket: Socket | null = null
  #isOver = false

  constructor (timeout: number, opened: Opened) {
    this.#opened = opened
    this.#timer = setTimeout(() => { this.destroy(new errors.ConnectTimeoutError(`no connection within ${timeout} ms`)) }, timeout)
  }

  add (socket: Socket, event: 'connect' | 'secureConnect', next: (socket: Socket) => void): void {
    // TLS in a tunnel closes with it, and says why.
    this.#socket?.off('close', this.#closed)
    this.#socket = socket
    socket.setKeepAlive(true, KEEP_ALIVE_DELAY)
    socket.setNoDelay(true)
    // It stays: an 'error' that nobody listens to ends the process.
    socket.on('error', (error) => { this.finish(error) })
    socket.once('close', this.#closed)
    socket.once(event, () => { if (!this.#isOver) next(socket) })
  }

  finish (error: Error | null, socket: Socket | null = null): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#socket?.off('close', this.#closed)
    this.#opened(error, socket)
  }

  /** Fails with this error, whatever the sockets say when they are closed. */
  destroy (error: Error): void {
    this.#socket?.destroy()
    this.finish(error)
  }

  readonly #closed = (): void => { this.finish(new errors.SocketError('closed while connecting')) }
}
