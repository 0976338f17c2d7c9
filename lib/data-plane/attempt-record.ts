import { AsyncResource } from 'node:async_hooks'
import type { Attempt, Endpoint, ProxyErrorLike, Upstream } from '../../types/model.ts'
import type { ProxyExchange } from '../model/exchange.ts'
import type { AttemptOwner } from './attempt-owner.ts'
import { beginProbe, endProbe } from './breaker/probes.ts'
import type { Tunnel } from './upgrade/tunnel.ts'
import type { Carried, Connection, Silence } from './pool/connection.ts'

/**
 * What there is to know of an attempt, and what it occupies: a seat of the pool, from the choice of the endpoint until its connection
 * is free, come what may.
 */
export class AttemptRecord extends AsyncResource implements Attempt, Carried {
  readonly exchange: ProxyExchange
  readonly upstream: Upstream
  readonly endpoint: Endpoint
  readonly number: number
  readonly previous: Attempt | null
  readonly startedAt: number
  sentAt = 0
  writtenAt = 0
  headAt = 0
  endedAt = 0
  statusCode = 0
  connectTime = 0
  reused = false
  idleTime = 0
  readonly isProbe: boolean
  isJudged = false
  error: ProxyErrorLike | null = null
  /** Set by the pool when it finds a connection. */
  client: Connection | null = null
  readonly silence: Silence | null
  protected readonly owner: AttemptOwner
  /** Whether something comes behind the body. */
  hasTrailers = false
  tunnel: Tunnel | null = null
  isOver = false
  /** Given up before its connection stood: undici makes that all the same, and the seat is taken until then. */
  #lingers = false
  #isSeated = true
  /** The half-open period that it is a probe of. */
  #period = 0

  constructor (exchange: ProxyExchange, endpoint: Endpoint, number: number, startedAt: number, owner: AttemptOwner) {
    super('SLUICE_ATTEMPT')
    this.exchange = exchange
    this.upstream = exchange.upstream
    this.endpoint = endpoint
    this.number = number
    this.previous = exchange.last
    this.startedAt = startedAt
    this.owner = owner
    this.silence = owner.tracing
    endpoint.active++
    endpoint.seats.take()
    this.isProbe = endpoint.breaker === 'half-open'
    if (this.isProbe) this.#period = beginProbe(endpoint, startedAt)
  }

  /** The head of its answer is here, which is what a probe is for. */
  protected judge (): void {
    this.isJudged = true
    endProbe(this.endpoint, this.#period)
    const { observers } = this.upstream.state
    for (let index = 0; index < observers.length; index++) observers[index]!.onProbeAnswered?.(this)
  }

  protected close (error: ProxyErrorLike | null): void {
    this.isOver = true
    this.error = error
    this.endedAt = performance.now()
    // Here and not with the head: a long download is load.
    this.endpoint.active--
    if (this.client !== null) this.client.freedAt = this.endedAt
    if (this.isProbe && !this.isJudged) endProbe(this.endpoint, this.#period)
    if (!this.#lingers) this.#leave()
  }

  /** undici is through with an attempt that was given up. */
  protected forgotten (): void {
    if (this.#lingers) this.#leave()
  }

  /** Closes the connection; or leaves it to undici, where it is still being made. */
  protected giveUp (): void {
    this.#lingers = this.sentAt === 0 && this.client !== null
    this.cut()
  }

  /** Closes the connection, if it has one already. */
  protected cut (): void {
    if (this.tunnel !== null) this.tunnel.cut()
    else if (this.sentAt !== 0) this.client!.cut()
  }

  /** Its connection is a tunnel now, and neither the pool's nor one of the requests that are counted. */
  protected outgrow (): void {
    if (this.tunnel === null) return
    this.upstream.load.active--
    this.#leave()
  }

  #leave (): void {
    if (!this.#isSeated) return
    this.#isSeated = false
    this.#lingers = false
    const { seats } = this.endpoint
    seats.leave()
    if (seats.waiting !== null) this.owner.left(this)
  }
}
