import type { ClientHttp2Session } from 'node:http2'
import type { Dispatcher } from 'undici'
import type { ConnectionEnd } from '../../../types/policy.ts'
import type { Remote } from './connection.ts'
import type { Http2Opened } from './http2-connector.ts'
import { handleOf } from './http2-handles.ts'
import { type Caller, Http2Request } from './http2-request.ts'

/** Requests at once in one connection at most, also where the upstream allows more, and until it has said so (RFC 9113 6.5.2 recommends no less). */
export const STREAMS = 100

/** What a connection tells its pool. */
export interface ConnectionOwner {
  readonly keepAliveTimeout: number
  readonly connectTimeout: number
  readonly headLimit: number
  readonly authority: string
  /** It can carry another request, or has gone. */
  changed (connection: Http2Connection): void
  cutIdle (): void
}

/** One connection of HTTP/2 to an upstream, and what is said on it about its end. */
export class Http2Connection {
  readonly session: ClientHttp2Session
  readonly connectingAt: number
  readonly connectedAt: number
  /** Requests begun so far. */
  carried = 0
  /** Requests under way. */
  active = 0
  /** When the last of them was over. */
  freedAt: number
  failure: Error | null = null
  /** That of its session; see `keepUntilCollected`. */
  handle: object | undefined
  endedBy: ConnectionEnd = 'upstream'
  /** For spans. */
  readonly remote: Remote
  /** TLS has taken up where an earlier connection had been. */
  readonly hasResumed: boolean
  readonly #owner: ConnectionOwner
  readonly #expiresAt: number
  #limit = STREAMS
  /** The last stream that the upstream says it has taken; Infinity until it says. */
  #lastTaken = Infinity
  #idleTimer: NodeJS.Timeout | null = null
  #probe: NodeJS.Timeout | null = null

  /** @param age ms after which it takes no more requests */
  constructor ({ session, remote, hasResumed }: Http2Opened, connectingAt: number, owner: ConnectionOwner, age: number) {
    this.session = session
    this.connectingAt = connectingAt
    this.connectedAt = this.freedAt = performance.now()
    this.#expiresAt = this.connectedAt + age
    this.#owner = owner
    this.remote = remote
    this.hasResumed = hasResumed
    session.on('remoteSettings', ({ maxConcurrentStreams }) => {
      this.#limit = Math.min(maxConcurrentStreams ?? STREAMS, STREAMS)
      owner.changed(this)
    })
    session.on('goaway', (_code, lastStreamId) => {
      this.#lastTaken = lastStreamId
      owner.changed(this)
    })
    session.on('error', (error: Error) => {
      this.failure = error
      this.endedBy = 'error'
    })
    session.on('close', () => {
      this.#stopWaiting()
      if (this.#probe !== null) clearTimeout(this.#probe)
      owner.changed(this)
    })
    this.#waitIdle()
  }

  get authority (): string {
    return this.#owner.authority
  }

  get headLimit (): number {
    return this.#owner.headLimit
  }

  /** Takes no more requests, though it may still carry some. */
  get isLeaving (): boolean {
    return this.session.closed || this.session.destroyed || this.#lastTaken !== Infinity
  }

  get hasRoom (): boolean {
    if (this.active >= this.#limit || this.isLeaving) return false
    if (performance.now() < this.#expiresAt) return true
    this.retire()
    return false
  }

  send (options: Dispatcher.DispatchOptions, handler: Caller): void {
    this.#stopWaiting()
    this.active++
    new Http2Request(this, options, handler).begin()
  }

  /** While the session is open: one that is closed has it no more. */
  holdHandle (): void {
    this.handle ??= handleOf(this.session)
  }

  /** A request is over. */
  release (): void {
    this.active--
    if (this.active === 0) this.#waitIdle()
    this.#owner.changed(this)
  }

  /** Whether the upstream says that it has not looked at a stream, and will not (RFC 9113 6.8). */
  hasIgnored (id: number | undefined): boolean {
    return id === undefined || id > this.#lastTaken
  }

  /** No more requests on it; those that it carries go on. */
  retire (by: ConnectionEnd = 'proxy'): void {
    this.endedBy = by
    this.session.close()
    this.#owner.changed(this)
  }

  /**
   * A request was given up before it was answered: perhaps by its client, perhaps because nobody is at the other end any more. The
   * next ones would all wait there in turn, so one asks.
   */
  probe (): void {
    if (this.#probe !== null || this.isLeaving) return
    const { session } = this
    this.#probe = setTimeout(() => {
      this.#probe = null
      session.destroy(Object.assign(new Error('no answer to a ping'), { code: 'ECONNRESET' }))
    }, this.#owner.connectTimeout)
    this.#probe.unref()
    const isAsked = session.ping((error) => {
      if (error !== null || this.#probe === null) return
      clearTimeout(this.#probe)
      this.#probe = null
    })
    if (isAsked) return
    clearTimeout(this.#probe)
    this.#probe = null
  }

  cutIdle (): void {
    this.#owner.cutIdle()
  }

  #waitIdle (): void {
    if (this.isLeaving) return
    this.#idleTimer = setTimeout(() => { this.retire('idle') }, this.#owner.keepAliveTimeout)
    this.#idleTimer.unref()
  }

  #stopWaiting (): void {
    if (this.#idleTimer === null) return
    clearTimeout(this.#idleTimer)
    this.#idleTimer = null
  }
}
