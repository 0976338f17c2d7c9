import { type IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyBaseLogger } from 'fastify'
import type { Snapshot } from '../../../types/model.ts'
import type { ProxyExchange } from '../../model/exchange.ts'
import { parseTarget } from '../path-policy.ts'
import { hasToken, isWebSocketHandshake } from './handshake.ts'
import { servePlain } from './plain.ts'
import { hasSocket, quiet, responseOf, traces, whenFree } from './sockets.ts'

/** How long a client that was refused may go on sending before its connection is cut. */
const LINGER_TIMEOUT = 1000

/** A request that would like its connection to be something else. */
export interface Upgrade {
  readonly socket: Socket
  /** What came behind the request in one read. */
  readonly head: Buffer
  /** null until its route forwards it. */
  exchange: ProxyExchange | null
  isFollowed: boolean
}

/** The app, as far as upgrades need it. */
export interface UpgradeApp {
  readonly server: unknown
  readonly log: FastifyBaseLogger
  routing (request: IncomingMessage, response: ServerResponse): void
}

/**
 * Finds, among all requests for an upgrade, those that are for a route of ours, and hands them to Fastify as the requests that they
 * are. With a listener Node answers none of them itself, so whatever nobody wants is ours to serve as if it had asked for nothing
 * (RFC 9110 7.8). What other listeners want is theirs.
 */
export class Upgrades {
  readonly #gate: { readonly snapshot: Snapshot | null }
  readonly #upgrades = new WeakMap<IncomingMessage, Upgrade>()
  #app: UpgradeApp | null = null
  #arrive: (request: IncomingMessage) => void = ignore
  #server: Server | null = null

  constructor (gate: { readonly snapshot: Snapshot | null }) {
    this.#gate = gate
  }

  of (request: IncomingMessage): Upgrade | undefined {
    return this.#upgrades.get(request)
  }

  /**
   * Listens where a route wants it, and no longer than that.
   * @param arrive what the server does to its requests before the router sees them
   */
  attend (app: UpgradeApp, arrive: (request: IncomingMessage) => void): void {
    const isWanted = [...this.#gate.snapshot!.routes.values()].some(({ websocket }) => websocket !== null)
    this.#arrive = arrive
    if (isWanted && this.#server === null) this.#start(app)
    else if (!isWanted) this.stop()
  }

  #start (app: UpgradeApp): void {
    this.#app = app
    this.#server = app.server as Server
    // Before others, which may hand a request of ours to Fastify: @fastify/websocket does that with all of them.
    this.#server.prependListener('upgrade', this.#onUpgrade)
  }

  stop (): void {
    this.#server?.removeListener('upgrade', this.#onUpgrade)
    this.#server = null
  }

  readonly #onUpgrade = (request: IncomingMessage, stream: unknown, head: Buffer): void => {
    const socket = stream as Socket
    // CVE-2026-129500: before anything that takes time.
    quiet(socket)
    this.#upgrades.set(request, { socket, head, exchange: null, isFollowed: false })
    // No listener for this protocol has any use for it; the others find that somebody has taken it.
    const isBehind = responseOf(socket) !== null
    const claim = isHttp2Offer(request) && !isBehind ? new ServerResponse(request) : null
    claim?.assignSocket(socket)
    const before = traces(request, socket, isBehind)
    process.nextTick(() => {
      claim?.detachSocket(socket)
      // A socket that another listener has ended takes no answer. Behind an earlier response nothing else tells of that listener.
      if (!socket.writable || (claim === null && traces(request, socket, isBehind) !== before)) return
      const isOurs = this.#isOurs(request)
      // Somebody may still be making up his mind.
      if (!isOurs && claim === null && this.#hasOthers()) return
      whenFree(socket, () => {
        if (isOurs) this.#route(request, socket)
        else servePlain(this.#server!, request, socket, head)
      })
    })
  }

  #hasOthers (): boolean {
    return this.#server!.listenerCount('upgrade') > 1
  }

  #isOurs (request: IncomingMessage): boolean {
    if (!isWebSocketHandshake(request)) return false
    const target = parseTarget(request.url!, 'GET', 'forward')
    if (target === null) return false
    for (const { websocket } of this.#gate.snapshot!.routes.values()) {
      if (websocket !== null && websocket.owns(target.path)) return true
    }
    return false
  }

  /** As a request like any other: the route's hooks run, and may answer. */
  #route (request: IncomingMessage, socket: Socket): void {
    const response = new ServerResponse(request)
    response.shouldKeepAlive = false
    try {
      response.assignSocket(socket)
      this.follow(request, response)
      this.#arrive(request)
      this.#app!.routing(request, response)
    } catch (err) {
      // A constraint of the user's, or rewriteUrl: nobody would answer.
      this.#app!.log.warn({ err }, 'an upgrade could not be routed')
      socket.destroy()
    }
  }

  /** Waits for the answer to be out: what the connection is then depends on it. */
  follow (request: IncomingMessage, response: ServerResponse): void {
    const upgrade = this.#upgrades.get(request)!
    if (upgrade.isFollowed) return
    upgrade.isFollowed = true
    response.shouldKeepAlive = false
    response.once('finish', () => {
      const { socket, head, exchange } = upgrade
      if (hasSocket(response)) response.detachSocket(socket)
      const tunnel = exchange?.tunnel ?? null
      if (tunnel !== null && response.statusCode === 101) {
        tunnel.begin(socket, head)
        return
      }
      // A hook has put an answer of its own in the place of the 101.
      tunnel?.cut()
      part(socket)
      response.emit('close')
    })
  }
}

/** Ends a connection whose parser is gone. What still comes is not read as a request, and not answered by a reset that would overtake our answer. */
function part (socket: Socket): void {
  socket.end()
  socket.resume()
  const timer = setTimeout(() => { socket.destroy() }, LINGER_TIMEOUT)
  socket.once('close', () => { clearTimeout(timer) })
}

/** `Upgrade: h2c`, as Java's HttpClient and curl send it with ordinary requests. */
function isHttp2Offer ({ headers }: IncomingMessage): boolean {
  return hasToken(headers.upgrade, 'h2c') && !hasToken(headers.upgrade, 'websocket')
}

function ignore (): void {}
