import { isIP } from 'node:net'
import { Dispatcher, errors } from 'undici'
import type { ConnectionCounts, Probe, ProbeAnswer } from '../../../types/model.ts'
import type { ConnectionObserver } from '../../../types/policy.ts'
import type { Origin } from '../../model/origin.ts'
import { unawaited } from '../../model/unawaited.ts'
import { tellRefusal } from './connector.ts'
import { headLimitOf } from './head-limit.ts'
import type { ConnectionPool, PoolConfig } from './index.ts'
import { type ConnectionOwner, Http2Connection, STREAMS } from './http2-connection.ts'
import { Http2Connector, type Http2Opened } from './http2-connector.ts'
import { sendHttp2Probe } from './http2-probe.ts'
import type { Caller } from './http2-request.ts'
import { checkRequest } from './request-check.ts'
import type { Opening } from './transport.ts'

/** How many may wait before those are looked for that have been given up. */
const FIRST_LOOK = 64
/** Milliseconds before a warm connection that ended is replaced; ten times that after one that could not be made. */
const REPLACE_AFTER = 250
/** As for connections of HTTP/1: not all are to look a name up at once. */
const RECYCLE_JITTER = 0.1

interface Waiting {
  readonly options: Dispatcher.DispatchOptions
  readonly handler: Caller
}

/**
 * Connections of HTTP/2 to one origin, by node:http2, offering what undici's Pool does. undici's own HTTP/2 (7.30) sends no trailers,
 * fails every request on a connection over a GOAWAY that names those it concerns, and takes a reset for an end.
 *
 * Another connection is opened when all have as many requests as they may; so most upstreams have one.
 */
export class Http2Pool extends Dispatcher implements ConnectionOwner, ConnectionPool {
  readonly keepAliveTimeout: number
  readonly connectTimeout: number
  readonly headLimit: number
  readonly authority: string
  readonly observers: ConnectionObserver[] = []
  readonly cannotUpgrade: true = true
  readonly #limit: number
  readonly #age: () => number
  readonly #connector: Http2Connector
  readonly #connections = new Set<Http2Connection>()
  readonly #connecting = new Set<Opening>()
  /** Those of checks, which are not the pool's. */
  readonly #probing = new Set<Opening>()
  #waiting: Waiting[] = []
  #lookAt = FIRST_LOOK
  readonly #warm: number
  #warmTimer: NodeJS.Timeout | null = null
  #isKeptWarm = false
  #isClosed = false
  #whenEmpty: (() => void)[] = []

  constructor (origin: Origin, config: PoolConfig, recycleAfter: number) {
    super()
    // An address leads where it leads, and so does a file.
    const isName = origin.socketPath === null && isIP(origin.hostname) === 0
    this.#age = () => isName ? recycleAfter * (1 - RECYCLE_JITTER * Math.random()) : Infinity
    this.keepAliveTimeout = config.keepAliveTimeout
    this.connectTimeout = config.connectTimeout
    this.headLimit = headLimitOf(config)
    this.authority = origin.authority
    this.#limit = config.connections
    this.#warm = config.warm
    this.#connector = new Http2Connector(origin, config)
  }

  /** As undici's Pool has it. */
  get stats (): { connected: number, running: number, queued: number, pending: number, free: number, size: number } {
    let running = 0
    let free = 0
    for (const { active } of this.#connections) {
      running += active
      if (active === 0) free++
    }
    const queued = this.#waiting.length
    return { connected: this.#connections.size, running, queued, pending: queued, free, size: running + queued }
  }

  override dispatch (options: Dispatcher.DispatchOptions, legacy: Dispatcher.DispatchHandler): boolean {
    const handler = legacy as Caller
    if (this.#isClosed) {
      handler.onError!(new errors.ClientClosedError())
      return false
    }
    try {
      checkRequest(options)
    } catch (error) {
      handler.onError!(error as Error)
      return true
    }
    const free = this.#waiting.length === 0 ? this.#free() : null
    if (free !== null) {
      free.send(options, handler)
      return true
    }
    if (this.#waiting.push({ options, handler }) >= this.#lookAt) this.#forget()
    this.#grow()
    return false
  }

  override close (): Promise<void>
  override close (callback: () => void): void
  override close (callback?: () => void): Promise<void> | void {
    this.#isClosed = true
    for (const opening of [...this.#connecting, ...this.#probing]) opening.destroy(new errors.ClientClosedError())
    this.#failWaiting(new errors.ClientClosedError())
    for (const connection of this.#connections) connection.retire()
    return this.#emptied(callback)
  }

  override destroy (): Promise<void>
  override destroy (error: Error | null): Promise<void>
  override destroy (callback: () => void): void
  override destroy (error: Error | null, callback: () => void): void
  override destroy (given?: Error | null | (() => void), callback?: () => void): Promise<void> | void {
    const error = typeof given === 'function' || given === null || given === undefined ? new errors.ClientDestroyedError() : given
    this.#isClosed = true
    for (const opening of [...this.#connecting, ...this.#probing]) opening.destroy(error)
    this.#failWaiting(error)
    for (const connection of this.#connections) connection.session.destroy()
    return this.#emptied(typeof given === 'function' ? given : callback)
  }

  get connections (): ConnectionCounts {
    let busy = 0
    let idle = 0
    let warm = 0
    for (const { active, carried } of this.#connections) {
      if (active > 0) busy++
      else if (carried > 0) idle++
      else warm++
    }
    return { busy, idle, warm, opening: this.#connecting.size }
  }

  observe (observer: ConnectionObserver): void {
    if (!this.observers.includes(observer)) this.observers.push(observer)
  }

  async prewarm (count: number): Promise<boolean> {
    const total = this.#connections.size + this.#connecting.size
    const missing = Math.min(Math.max(1, count - total), this.#limit - total)
    if (missing <= 0) return true
    const results = await Promise.allSettled(Array.from({ length: missing }, () => new Promise<boolean>((resolve) => { this.#open(resolve) })))
    return results.some((result) => result.status === 'fulfilled' && result.value)
  }

  async keepWarm (): Promise<void> {
    this.#isKeptWarm = this.#warm > 0
    if (this.#isKeptWarm) this.#replenish(await this.prewarm(this.#warm))
  }

  probe (probe: Probe): Promise<ProbeAnswer> {
    return sendHttp2Probe(this.#connector, probe, this.#probing)
  }

  closeInPeace (): Promise<void> {
    return this.close()
  }

  #replenish (isConnected: boolean): void {
    if (!this.#isKeptWarm || this.#isClosed || this.#warmTimer !== null || this.#connections.size + this.#connecting.size >= this.#warm) return
    this.#warmTimer = setTimeout(() => {
      this.#warmTimer = null
      if (!this.#isClosed) unawaited('opening connections ahead', this.keepWarm())
    }, isConnected ? REPLACE_AFTER : REPLACE_AFTER * 10).unref()
  }

  // As a connection of ours sees it ────────────────────────────────────────

  changed (connection: Http2Connection): void {
    if (connection.session.destroyed && this.#connections.delete(connection)) this.#left(connection)
    this.#serve()
  }

  cutIdle (): void {
    for (const connection of this.#connections) {
      if (connection.active === 0) connection.retire()
    }
  }

  // ────────────────────────────────────────────────────────────────────────

  #left (connection: Http2Connection): void {
    for (const observer of this.observers) observer.onDisconnected(connection.endedBy)
    this.#replenish(true)
    if (this.#connections.size > 0) return
    for (const tell of this.#whenEmpty.splice(0)) tell()
  }

  #free (): Http2Connection | null {
    for (const connection of this.#connections) {
      if (connection.hasRoom) return connection
    }
    return null
  }

  #serve (): void {
    while (this.#waiting.length > 0) {
      const free = this.#free()
      if (free === null) {
        this.#grow()
        return
      }
      const { options, handler } = this.#waiting.shift()!
      free.send(options, handler)
    }
  }

  /** Opens connections for those that wait, as many as they will fill. */
  #grow (): void {
    let open = this.#connecting.size
    for (const connection of this.#connections) {
      // One that leaves ends by itself, and long streams on it must not keep the next one out.
      if (!connection.isLeaving) open++
    }
    while (!this.#isClosed && open < this.#limit && this.#connecting.size * STREAMS < this.#waiting.length) {
      open++
      this.#open()
    }
  }

  #open (tell: (isConnected: boolean) => void = () => {}): void {
    const startedAt = performance.now()
    const opening = this.#connector.connect((error, opened) => {
      this.#connecting.delete(opening)
      if (opened !== null) this.#enter(opened, startedAt)
      else this.#failed(error!)
      tell(opened !== null)
    })
    this.#connecting.add(opening)
  }

  #enter (opened: Http2Opened, startedAt: number): void {
    const connection = new Http2Connection(opened, startedAt, this, this.#age())
    for (const observer of this.observers) observer.onConnected(connection.connectedAt - startedAt, connection.hasResumed)
    this.#connections.add(connection)
    this.#serve()
  }

  /** Nobody else is about to serve those that wait: they hear why, and may try elsewhere. */
  #failed (error: Error): void {
    tellRefusal(this.observers, error)
    if (this.#connecting.size > 0) return
    for (const connection of this.#connections) {
      if (!connection.isLeaving) return
    }
    this.#failWaiting(error)
  }

  #failWaiting (error: Error): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const { handler } of waiting) handler.onError!(error)
  }

  /** Those that were given up while they waited, or there would be no end to them where every connection is taken for long. */
  #forget (): void {
    this.#waiting = this.#waiting.filter(({ handler }) => handler.isOver !== true)
    this.#lookAt = Math.max(FIRST_LOOK, this.#waiting.length * 2)
  }

  #emptied (callback?: () => void): Promise<void> | void {
    const empty = new Promise<void>((resolve) => {
      if (this.#connections.size === 0) resolve()
      else this.#whenEmpty.push(resolve)
    })
    if (callback === undefined) return empty
    unawaited('the callback of a closed pool', empty.then(callback))
  }
}
