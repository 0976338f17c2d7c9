import { createHash } from 'node:crypto'
import undici from 'undici/package.json' with { type: 'json' }
import type { EndpointPool } from '../../../types/model.ts'
import type { OptionSchema } from '../../../types/policy.ts'
import type { PoolOptions, TlsOptions } from '../../../types/options.ts'
import { isUnixSocket, readOrigin } from '../../model/origin.ts'
import { findProxyFault } from './forward-proxy.ts'
import { Http1Pool } from './http1-pool.ts'
import { STREAMS } from './http2-connection.ts'
import { Http2Pool } from './http2-pool.ts'
import { findTlsFaults } from './tls-faults.ts'

/** Ours, not the one that Node brings along. Imported as JSON: bundlers follow that, and take it in. */
export const undiciVersion: string = undici.version

type Optional = 'tls' | 'proxy' | 'maxHeaderSize'
export type PoolConfig = Required<Omit<PoolOptions, Optional>> & Pick<PoolOptions, Optional>

export const poolSchema: OptionSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    connections: { kind: ['integer'], minimum: 1, default: 128 },
    warm: { kind: ['integer'], minimum: 0, default: 0 },
    keepAliveTimeout: { kind: ['integer'], minimum: 1, maximum: 600_000, default: 4000 },
    connectTimeout: { kind: ['integer'], minimum: 1, maximum: 600_000, default: 5000 },
    protocol: { enum: ['http1', 'h2'], default: 'http1' },
    maxHeaderSize: { kind: ['integer'], minimum: 1, maximum: 2 ** 24 },
    // Looked at by findPoolFaults, whose messages show nothing of it.
    proxy: { kind: ['secret'] },
    tls: {
      type: 'object',
      additionalProperties: false,
      properties: {
        ca: { kind: ['pem'] },
        cert: { kind: ['pem'] },
        key: { kind: ['pem'] },
        passphrase: { kind: ['secret'] },
        pfx: { kind: ['pfx'] },
        minVersion: { enum: ['TLSv1.2', 'TLSv1.3'] },
        ciphers: { kind: ['string'], minLength: 1 },
        servername: { kind: ['string'], pattern: '^[!-~]+$', meaning: 'a host name' },
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
 * ms for which a connection to a name is used before the name is looked up again: Node does not cache names, but connections that are
 * never idle would keep to an address for ever.
 */
const RECYCLE_AFTER = 60_000

/** A pool as the gateway sees it. */
export interface ConnectionPool extends EndpointPool {
  /** Opens the connections that are always to be there, and keeps them. Never rejects. */
  keepWarm (): Promise<void>
  /** Once it has nothing more to do. */
  closeInPeace (): Promise<void>
}

/** Opens the pool of one endpoint, of the one protocol that its upstream is said to speak. The gateway that asked for it closes it. */
export function createPool (origin: string, config: PoolConfig, recycleAfter: number = RECYCLE_AFTER): ConnectionPool {
  const known = readOrigin(origin)
  return config.protocol === 'h2' ? new Http2Pool(known, config, recycleAfter) : new Http1Pool(known, config, recycleAfter)
}

/**
 * Two endpoints with the same key share a pool: it holds the whole origin, the way to it, the TLS identity and every setting, and nothing
 * of a request. Secrets in it are hashed.
 */
export function poolKey (origin: string, config: PoolConfig): string {
  const { connections, warm, keepAliveTimeout, connectTimeout, protocol, maxHeaderSize = 0, proxy, tls } = config
  const way = proxy === undefined ? '' : digest([proxy])
  const identity = tls === undefined ? '' : fingerprint(tls)
  return JSON.stringify([origin, protocol, connections, warm, keepAliveTimeout, connectTimeout, maxHeaderSize, way, identity])
}

function fingerprint ({ ca, cert, key, passphrase, pfx, minVersion, ciphers, servername, rejectUnauthorized }: TlsOptions): string {
  const settings = JSON.stringify([passphrase, minVersion, ciphers, servername, rejectUnauthorized])
  return digest(ca, cert, key, pfx, settings)
}

/** Each part with its length, so that no two lists of parts look alike. */
function digest (...parts: readonly (string | Buffer | readonly (string | Buffer)[] | undefined)[]): string {
  const hash = createHash('sha256')
  for (const part of parts.map((value) => [value ?? ''].flat())) {
    hash.update(`${part.length};`)
    for (const item of part) hash.update(`${item.length}:`).update(item)
  }
  return hash.digest('hex')
}

export interface PoolFault {
  /** From `pool`, as in `tls.key`. */
  readonly path: readonly string[]
  readonly message: string
}

/** Finds pools whose connections could never be made, which no schema can say. */
export function findPoolFaults ({ tls, proxy, warm, connections }: PoolConfig, origins: readonly string[]): PoolFault[] {
  const faults: PoolFault[] = []
  const sockets = origins.filter(isUnixSocket).length
  if (warm > connections) faults.push({ path: ['warm'], message: `is ${warm}, more than the ${connections} of pool.connections` })
  if (proxy !== undefined) {
    const fault = findProxyFault(proxy)
    if (fault !== null) faults.push({ path: ['proxy'], message: fault })
    if (sockets > 0) {
      const message = 'does not lead to Unix sockets, which are on this machine; put them into an upstream of their own'
      faults.push({ path: ['proxy'], message })
    }
  }
  if (tls === undefined) return faults
  if (sockets > 0 && sockets === origins.length) {
    faults.push({ path: ['tls'], message: 'is of no use to endpoints on Unix sockets, which are spoken to without TLS' })
  }
  for (const { key, message } of findTlsFaults(tls)) faults.push({ path: key === null ? ['tls'] : ['tls', key], message })
  return faults
}
