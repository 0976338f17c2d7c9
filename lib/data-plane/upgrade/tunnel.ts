import type { Socket } from 'node:net'
import type { Endpoint, ProxyErrorLike, TunnelInfo } from '../../../types/model.ts'
import type { ProxyExchange } from '../../model/exchange.ts'
import type { Deadlines } from '../timeouts.ts'
import { proxyError } from '../../errors.ts'
import { closeForClient, closeForUpstream, Frames } from './frames.ts'

/** How long both ends may take to answer our close frames before they are cut. */
const CLOSE_TIMEOUT = 2000
/** Silence after which a tunnel is closed whose one end has said all it had to say, whatever the idle timeout. */
const HALF_CLOSED_TIMEOUT = 30_000

/** Whoever keeps the tunnels of the app. */
export interface TunnelOwner {
  readonly deadlines: Deadlines
  readonly isClosing: boolean
  readonly tunnels: Set<Tunnel>
}

/** The attempt that has become a tunnel. */
export interface Tunnelled {
  readonly exchange: ProxyExchange
  readonly endpoint: Endpoint
  readonly isOver: boolean
  /** It is over, and nobody failed. */
  dropped (): void
  /** The upstream failed. */
  abandon (error: ProxyErrorLike): void
}

/** Where a socket finds what it belongs to: shared functions with this are a fraction of ten closures per tunnel. */
const kEnd = Symbol('sluice.end')

interface Wired extends Socket { [kEnd]: End }

/** One of the two ends, and what is known of the bytes that come from it. */
class End {
  readonly socket: Socket
  readonly tunnel: Tunnel
  readonly isClient: boolean
  readonly frames: Frames = new Frames()
  other: End | null = null
  /** Our close frame was the last it gets. */
  isDismissed = false
  isClosed = false

  constructor (socket: Socket, tunnel: Tunnel, isClient: boolean) {
    this.socket = socket
    this.tunnel = tunnel
    this.isClient = isClient
    ;(socket as Wired)[kEnd] = this
    socket.on('error', onError)
    socket.on('close', onClose)
  }

  connect (other: End): void {
    this.other = other
    const { socket } = this
    // An end that has said FIN may still listen (RFC 9110 9.3.6 has it so for tunnels).
    socket.allowHalfOpen = true
    socket.setTimeout(0)
    socket.setNoDelay(true)
    socket.on('data', onData)
    socket.on('end', onEnd)
    socket.on('drain', onDrain)
  }

  /** Our close frame, as soon as none of the other's is cut in two by it. */
  dismiss (): void {
    if (this.isDismissed || this.isClosed || !this.other!.frames.isBetween) return
    this.isDismissed = true
    if (this.socket.writable) this.socket.write(this.isClient ? closeForClient : closeForUpstream)
    // What it has to say to that must come through, whoever is slow to read.
    this.socket.resume()
    this.partIfClosed()
  }

  /** Both close frames have passed here: nothing else is to come. */
  partIfClosed (): void {
    if (this.isDismissed && this.frames.hasClosed) this.socket.end()
  }

  cut (): void {
    if (this.isClosed || this.socket.destroyed) return
    // A reset, so that nobody takes it for an orderly end; TLS has none.
    if ('encrypted' in this.socket) this.socket.destroy()
    else this.socket.resetAndDestroy()
  }
}

function onData (this: Socket, chunk: Buffer): void {
  const end = (this as Wired)[kEnd]
  end.tunnel.carry(end, chunk)
}

function onDrain (this: Socket): void {
  (this as Wired)[kEnd].other!.socket.resume()
}

function onEnd (this: Socket): void {
  const end = (this as Wired)[kEnd]
  end.tunnel.ended(end)
}

function onError (this: Socket, error: Error): void {
  const end = (this as Wired)[kEnd]
  end.tunnel.failed(end, error)
}

function onClose (this: Socket): void {
  const end = (this as Wired)[kEnd]
  end.tunnel.closed(end)
}

/**
 * Bytes in both directions, as they come: extensions, subprotocols and fragments are between the two ends. Each end is read only as
 * fast as the other takes it. It holds the upstream's socket from the moment of the upstream's 101 on, and the client's as soon as
 * our own 101 is out.
 */
export class Tunnel implements TunnelInfo {
  readonly exchange: ProxyExchange
  readonly endpoint: Endpoint
  startedAt = 0
  endedAt = 0
  closedBy: TunnelInfo['closedBy'] = null
  readonly #attempt: Tunnelled
  readonly #owner: TunnelOwner
  readonly #upstream: End
  readonly #idleTimeout: number
  #client: End | null = null
  #isClosing = false
  #silence: number

  constructor (attempt: Tunnelled, upstream: Socket, idleTimeout: number, owner: TunnelOwner) {
    this.exchange = attempt.exchange
    this.endpoint = attempt.endpoint
    this.#attempt = attempt
    this.#owner = owner
    this.#idleTimeout = this.#silence = idleTimeout
    this.#upstream = new End(upstream, this, false)
  }

  /**
   * Lets the bytes pass.
   * @param head what the client sent before it had our answer
   */
  begin (client: Socket, head: Buffer): void {
    const { exchange } = this
    if (this.endedAt !== 0) {
      // The upstream went while our 101 went out.
      client.destroy()
      exchange.reply.raw.emit('close')
      return
    }
    const clientEnd = this.#client = new End(client, this, true)
    this.startedAt = performance.now()
    this.endpoint.tunnels++
    this.#owner.tunnels.add(this)
    exchange.phaseDue = this.startedAt + this.#idleTimeout
    this.#owner.deadlines.arm(exchange)
    if (head.length > 0) client.unshift(head)
    clientEnd.connect(this.#upstream)
    this.#upstream.connect(clientEnd)
    if (this.#owner.isClosing) this.close('shutdown')
  }

  carry (from: End, chunk: Buffer): void {
    const { exchange } = this
    const to = from.other!
    if (from.isClient) exchange.bytesIn += chunk.length
    else exchange.bytesOut += chunk.length
    if (this.#isClosing) {
      this.#carryLast(from, to, chunk)
      return
    }
    // The wheel's time, ten milliseconds old at most: a look at the clock for each chunk would be of no use.
    exchange.phaseDue = this.#owner.deadlines.now + this.#silence
    from.frames.take(chunk)
    // A chunk above the mark is "too much" to Node even where the system took it at once: only what it did not take is a reason to wait.
    if (!to.socket.write(chunk) && to.socket.writableLength > 0) from.socket.pause()
  }

  /** What is still under way goes on to the end of its frame. */
  #carryLast (from: End, to: End, chunk: Buffer): void {
    const length = to.isDismissed ? 0 : from.frames.take(chunk, true)
    const isFull = length > 0 && !to.socket.write(chunk.subarray(0, length))
    to.dismiss()
    if (isFull && !to.isDismissed) from.socket.pause()
    from.frames.take(chunk.subarray(length))
    from.partIfClosed()
  }

  ended (end: End): void {
    this.closedBy ??= end.isClient ? 'client' : 'upstream'
    end.other!.socket.end()
    if (this.#isClosing) return
    this.#silence = Math.min(this.#idleTimeout, HALF_CLOSED_TIMEOUT)
    this.exchange.phaseDue = performance.now() + this.#silence
    this.#owner.deadlines.arm(this.exchange)
  }

  failed (end: End, error: Error): void {
    // Once one end is through, what the other hears is what comes of that.
    const isFirst = this.closedBy === null
    this.closedBy ??= end.isClient ? 'client' : 'upstream'
    if (isFirst && !end.isClient) this.#attempt.abandon(proxyError('connection_terminated', 'upgrade', error))
  }

  closed (end: End): void {
    end.isClosed = true
    const { socket } = end
    this.closedBy ??= end.isClient ? 'client' : 'upstream'
    const other = end.isClient ? this.#upstream : this.#client
    if (other === null || other.isClosed) this.#over()
    // Else it was orderly, and the other end has been told.
    else if (!socket.readableEnded || !socket.writableFinished) other.cut()
  }

  /** Says goodbye to both ends, and gives them a while to answer. */
  close (reason: 'idle' | 'shutdown'): void {
    if (this.#isClosing) return
    this.#isClosing = true
    this.closedBy ??= reason
    this.exchange.phaseDue = performance.now() + CLOSE_TIMEOUT
    this.#owner.deadlines.arm(this.exchange)
    this.#client!.dismiss()
    this.#upstream.dismiss()
  }

  /** Its time is up: silent for too long, or not gone although it was asked to. */
  expire (): void {
    if (this.#client === null || this.#isClosing || this.closedBy !== null) this.cut()
    else this.close('idle')
  }

  /** Both ends, at once. */
  cut (): void {
    this.#upstream.cut()
    this.#client?.cut()
  }

  #over (): void {
    if (this.endedAt !== 0) return
    this.endedAt = performance.now()
    if (!this.#attempt.isOver) this.#attempt.dropped()
    if (this.startedAt === 0) return
    this.endpoint.tunnels--
    this.#owner.tunnels.delete(this)
    // The response went out long ago, and its socket was taken from it: nobody else tells those who wait for its end.
    this.exchange.reply.raw.emit('close')
  }
}
