import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import type { Socket } from 'node:net'
import { errors, Pool, type Dispatcher } from 'undici'
import type { ConnectionObserver, OptionSchema } from '../../../types/policy.ts'
import type { PoolOptions, TlsOptions } from '../../../types/options.ts'
import { createConnector } from './connector.ts'
import { CountingClient } from './counting-client.ts'
import { STREAMS } from './http2-connection.ts'
import { Http2Pool } from './http2-pool.ts'

/** Ours, not the one that Node brings along. */
export const undiciVersion: string = (createRequire(import.meta.url)('undici/package.json') as { version: string }).version

export type PoolConfig = Required<Omit<PoolOptions, 'tls'>> & Pick<PoolOptions, 'tls'>

export const poolSchema: OptionSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    connections: { kind: ['integer'], minimum: 1, default: 128 },
    keepAliveTimeout: { kind: ['integer'], minimum: 1, maximum: 600_000, default: 4000 },
    connectTimeout: { kind: ['integer'], minimum: 1, maximum: 600_000, default: 5000 },
    protocol: { enum: ['http1', 'h2'], default: 'http1' },
    tls: {
      type: 'object',
      additionalProperties: false,
      properties: {
        ca: { kind: ['pem'] },
        cert: { kind: ['pem'] },
        key: { kind: ['pem'] },
        servername: { kind: ['string'], minLength: 1 },
        rejectUnauthorized: { kind: ['boolean'], default: true }
      }
    }
  }
}

/** Requests that a pool carries at once, at most. */
export function capacityOf ({ protocol, connections }: PoolConfig): number {
  return protocol === 'h2' ? connections * STREAMS : connections
}

/** Opens the pool of one endpoint, of the one protocol that its upstream is said to speak. The gateway that asked for it closes it. */
export function createPool (origin: string, config: PoolConfig): Dispatcher {
  if (config.protocol === 'h2') return new Http2Pool(origin, config)
  const connections: Connections = { connecting: new Set(), connected: new Set(), observers: [] }
  const pool = new Pool(origin, {
    connections: config.connections,
    // More than one request in a connection would let one slow answer hold up others (head-of-line blocking).
    pipelining: 1,
    keepAliveTimeout: config.keepAliveTimeout,
    // An upstream that announces a longer idle time does not lengthen ours.
    keepAliveMaxTimeout: config.keepAliveTimeout,
    // Ours are kept by the deadlines of the exchange: undici's are up to a second late.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: createConnector(config, connections.connecting, connections.observers),
    factory: (origin: URL | string, options: object) => new CountingClient(origin, options as ConstructorParameters<typeof CountingClient>[1], connections.connected)
  })
  connectionsOf.set(pool, connections)
  return pool
}

interface Connections {
  /** Sockets that are not through yet. */
  readonly connecting: Set<Socket>
  readonly connected: Set<CountingClient>
  readonly observers: ConnectionObserver[]
}

const connectionsOf = new WeakMap<Dispatcher, Connections>()

/** From now on, tells of each connection of the pool; once, however many endpoints an upstream has in it. */
export function observeConnections (pool: Dispatcher, observer: ConnectionObserver): void {
  const { observers } = pool instanceof Http2Pool ? pool : connectionsOf.get(pool)!
  if (!observers.includes(observer)) observers.push(observer)
}

/** Closes a pool that nobody needs any more, once it has nothing to do. */
export async function closePool (pool: Dispatcher): Promise<void> {
  if (pool instanceof Http2Pool) return pool.close()
  const { connecting, connected } = connectionsOf.get(pool)!
  // undici would wait for a connection to be made, or to fail, whose request has left long ago.
  for (const socket of connecting) socket.destroy(new errors.ClientClosedError())
  await pool.close()
  // A client whose connection could not be made is the pool's no more; but undici gives it what waits in the pool's queue.
  await Promise.all([...connected].map((client) => client.close()))
}

/** What makes two endpoints share a pool: the whole origin, the TLS identity and every setting. Never anything of a request. */
export function poolKey (origin: string, config: PoolConfig): string {
  const { connections, keepAliveTimeout, connectTimeout, protocol } = config
  return JSON.stringify([origin, protocol, connections, keepAliveTimeout, connectTimeout, config.tls === undefined ? '' : fingerprint(config.tls)])
}

function fingerprint (tls: TlsOptions): string {
  const hash = createHash('sha256')
  for (const part of [tls.ca, tls.cert, tls.key].map((value) => [value ?? ''].flat())) {
    hash.update(`${part.length};`)
    for (const item of part) hash.update(`${item.length}:`).update(item)
  }
  return hash.update(JSON.stringify([tls.servername, tls.rejectUnauthorized])).digest('hex')
}
