import { createHash } from 'node:crypto'
import undici from 'undici/package.json' with { type: 'json' }
import type { EndpointPool } from '../../../types/model.ts'
import type { OptionSchema } from '../../../types/policy.ts'
import type { PoolOptions, TlsOptions } from '../../../types/options.ts'
import { Http1Pool } from './http1-pool.ts'
import { STREAMS } from './http2-connection.ts'
import { Http2Pool } from './http2-pool.ts'

/** Ours, not the one that Node brings along. Imported as JSON: bundlers follow that, and take it in. */
export const undiciVersion: string = undici.version

export type PoolConfig = Required<Omit<PoolOptions, 'tls'>> & Pick<PoolOptions, 'tls'>

export const poolSchema: OptionSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    connections: { kind: ['integer'], minimum: 1, default: 128 },
    warm: { kind: ['integer'], minimum: 0, default: 0 },
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

/**
 * How long a connection to a name is used before the name is looked up again, in ms: Node does not cache names, but connections that are never
 * idle would keep to an address for ever.
 */
const RECYCLE_AFTER = 60_000

/** What the gateway asks of a pool, beside what everybody may. */
export interface ConnectionPool extends EndpointPool {
  /** Opens the connections that are always to be there, and keeps them. Never rejects. */
  keepWarm (): Promise<void>
  /** Once it has nothing more to do. */
  closeInPeace (): Promise<void>
}

/** Opens the pool of one endpoint, of the one protocol that its upstream is said to speak. The gateway that asked for it closes it. */
export function createPool (origin: string, config: PoolConfig, recycleAfter: number = RECYCLE_AFTER): ConnectionPool {
  return config.protocol === 'h2' ? new Http2Pool(origin, config, recycleAfter) : new Http1Pool(new URL(origin), config, recycleAfter)
}

/** What makes two endpoints share a pool: the whole origin, the TLS identity and every setting. Never anything of a request. */
export function poolKey (origin: string, config: PoolConfig): string {
  const { connections, warm, keepAliveTimeout, connectTimeout, protocol } = config
  return JSON.stringify([origin, protocol, connections, warm, keepAliveTimeout, connectTimeout, config.tls === undefined ? '' : fingerprint(config.tls)])
}

function fingerprint (tls: TlsOptions): string {
  const hash = createHash('sha256')
  for (const part of [tls.ca, tls.cert, tls.key].map((value) => [value ?? ''].flat())) {
    hash.update(`${part.length};`)
    for (const item of part) hash.update(`${item.length}:`).update(item)
  }
  return hash.update(JSON.stringify([tls.servername, tls.rejectUnauthorized])).digest('hex')
}
