import { isIP, type Socket } from 'node:net'
import { type buildConnector, type Client, errors, Pool } from 'undici'
import type { ConnectionCounts, Probe, ProbeAnswer } from '../../../types/model.ts'
import type { ConnectionObserver } from '../../../types/policy.ts'
import { createConnector } from './connector.ts'
import { CountingClient } from './counting-client.ts'
import type { ConnectionPool, PoolConfig } from './index.ts'
import { sendProbe } from './probe.ts'
import { Shelf } from './shelf.ts'

/** Up to a tenth less, so that connections that were made together are not all made again together. */
const RECYCLE_JITTER = 0.1
/** Milliseconds taken off the idle time that an upstream announces, for what is on its way when it closes. */
const ANNOUNCED_MARGIN = 1000

/** undici's pool, with what it does not do: connections made ahead, probes, and an account of its connections. */
export class Http1Pool extends Pool implements ConnectionPool {
  /** Sockets that are not through yet. */
  readonly #connecting: Set<Socket>
  readonly #connected: Set<CountingClient>
  readonly #observers: ConnectionObserver[]
  readonly #probes = new Set<Client>()
  /** For probes, which are no connections of the pool's and observed by nobody. */
  readonly #connectProbe: buildConnector.connector
  readonly #shelf: Shelf
  readonly #url: URL

  constructor (url: URL, config: PoolConfig, recycleAfter: number) {
    const connecting = new Set<Socket>()
    const connected = new Set<CountingClient>()
    const observers: ConnectionObserver[] = []
    const connect = createConnector(config, connecting, observers)
    // An address leads where it leads.
    const isName = isIP(url.hostname.replace(/^\[|\]$/g, '')) === 0
    const age = (): number => isName ? recycleAfter * (1 - RECYCLE_JITTER * Math.random()) : Infinity
    const hostname = url.hostname.replace(/^\[|\]$/g, '')
    const shelf = new Shelf(
      (callback) => { connect({ hostname, host: url.host, protocol: url.protocol, port: url.port, servername: config.tls?.servername ?? hostname }, callback) },
      { warm: config.warm, limit: config.connections, recycleAfter: age(), idleTimeout: config.keepAliveTimeout },
      () => connected.size
    )
    super(url.origin, {
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
      connect: (options: buildConnector.Options, callback: buildConnector.Callback) => {
        if (!shelf.take(callback)) connect(options, callback)
      },
      factory: (origin: URL | string, options: object) => new CountingClient(origin, options as ConstructorParameters<typeof CountingClient>[1], connected, age())
    })
    this.#url = url
    this.#connecting = connecting
    this.#connected = connected
    this.#observers = observers
    this.#connectProbe = createConnector(config, connecting, [])
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
    return sendProbe(this.#url.origin, this.#connectProbe, probe, this.#probes)
  }

  /** Once it has nothing more to do. */
  async closeInPeace (): Promise<void> {
    this.#shelf.close()
    // undici would wait for a connection to be made, or to fail, whose request has left long ago.
    for (const socket of this.#connecting) socket.destroy(new errors.ClientClosedError())
    await Promise.all([...this.#probes].map((client) => client.destroy()))
    await this.close()
    // A client whose connection could not be made is the pool's no more; but undici gives it what waits in the pool's queue.
    await Promise.all([...this.#connected].map((client) => client.close()))
  }
}
