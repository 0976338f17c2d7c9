import { isIP } from 'node:net'
import { type buildConnector, type Client, errors, Pool } from 'undici'
import type { ConnectionCounts, Probe, ProbeAnswer } from '../../../types/model.ts'
import type { ConnectionObserver } from '../../../types/policy.ts'
import { createConnector } from './connector.ts'
import { CountingClient } from './counting-client.ts'
import type { Origin } from '../../model/origin.ts'
import { headLimitOf } from './head-limit.ts'
import type { ConnectionPool, PoolConfig } from './index.ts'
import { sendProbe } from './probe.ts'
import { ReadingSocket } from './reading-socket.ts'
import { Shelf } from './shelf.ts'
import { type Opening, Transport } from './transport.ts'

/** Up to a tenth less, so that connections that were made together are not all made again together. */
const RECYCLE_JITTER = 0.1
/** Milliseconds taken off the idle time that an upstream announces, for what is on its way when it closes. */
const ANNOUNCED_MARGIN = 1000

/** undici's pool, with what it does not do: connections made ahead, probes, and an account of its connections. */
export class Http1Pool extends Pool implements ConnectionPool {
  readonly #connecting: Set<Opening>
  readonly #connected: Set<CountingClient>
  readonly #observers: ConnectionObserver[]
  readonly #probes = new Set<Client>()
  /** For probes, which are no connections of the pool's and observed by nobody. */
  readonly #connectProbe: buildConnector.connector
  readonly #shelf: Shelf
  readonly #url: string
  readonly #headLimit: number

  constructor (origin: Origin, config: PoolConfig, recycleAfter: number) {
    const connecting = new Set<Opening>()
    const connected = new Set<CountingClient>()
    const observers: ConnectionObserver[] = []
    const transport = new Transport(origin, config, ['http/1.1'], () => new ReadingSocket())
    const connect = createConnector(transport, connecting, observers)
    // An address leads where it leads, and so does a file.
    const isName = origin.socketPath === null && isIP(origin.hostname) === 0
    const age = (): number => isName ? recycleAfter * (1 - RECYCLE_JITTER * Math.random()) : Infinity
    const { authority: host, hostname } = origin
    const protocol = origin.isSecure ? 'https:' : 'http:'
    const shelf = new Shelf(
      // Of all this the connector needs nothing, and undici's types do.
      (callback) => { connect({ hostname, host, protocol, port: String(origin.port) }, callback) },
      { warm: config.warm, limit: config.connections, recycleAfter: age(), idleTimeout: config.keepAliveTimeout },
      () => connected.size
    )
    const url = `${protocol}//${host}`
    const headLimit = headLimitOf(config)
    super(url, {
      connections: config.connections,
      // More than one request in a connection would let one slow answer hold up others (head-of-line blocking).
      pipelining: 1,
      keepAliveTimeout: config.keepAliveTimeout,
      // An upstream that announces a longer idle time does not lengthen ours.
      keepAliveMaxTimeout: config.keepAliveTimeout,
      keepAliveTimeoutThreshold: ANNOUNCED_MARGIN,
      // Ours are kept by the deadlines of the exchange: undici's are up to a second late.
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: headLimit,
      connect: (options: buildConnector.Options, callback: buildConnector.Callback) => {
        if (!shelf.take(callback)) connect(options, callback)
      },
      factory: (_url: URL | string, options: object) => {
        return new CountingClient(origin, options as ConstructorParameters<typeof CountingClient>[1], connected, age())
      }
    })
    this.#url = url
    this.#headLimit = headLimit
    this.#connecting = connecting
    this.#connected = connected
    this.#observers = observers
    this.#connectProbe = createConnector(transport, connecting, [])
    this.#shelf = shelf
    if (config.warm > 0) this.on('disconnect', () => { shelf.replenish() })
  }

  get connections (): ConnectionCounts {
    let busy = 0
    for (const client of this.#connected) {
      if (client.stats.size > 0) busy++
    }
    return { busy, idle: this.#connected.size - busy, warm: this.#shelf.size, opening: this.#connecting.size }
  }

  /** From now on, tells of each connection; once, however many endpoints an upstream has in this pool. */
  observe (observer: ConnectionObserver): void {
    if (!this.#observers.includes(observer)) this.#observers.push(observer)
  }

  /** Opens the connections that are always to be there, and keeps them. */
  keepWarm (): Promise<void> {
    return this.#shelf.keep()
  }

  prewarm (count: number): Promise<boolean> {
    return this.#shelf.fill(count)
  }

  probe (probe: Probe): Promise<ProbeAnswer> {
    return sendProbe(this.#url, { connect: this.#connectProbe, maxHeaderSize: this.#headLimit }, probe, this.#probes)
  }

  /** Once it has nothing more to do. */
  async closeInPeace (): Promise<void> {
    this.#shelf.close()
    // undici would wait for a connection to be made, or to fail, whose request has left long ago.
    for (const opening of [...this.#connecting]) opening.destroy(new errors.ClientClosedError())
    await Promise.all([...this.#probes].map((client) => client.destroy()))
    await this.close()
    // A client whose connection could not be made is the pool's no more; but undici gives it what waits in the pool's queue.
    await Promise.all([...this.#connected].map((client) => client.close()))
  }
}
