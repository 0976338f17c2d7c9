import { createHash } from 'node:crypto'
import { Pool, type Dispatcher } from 'undici'
import type { OptionSchema } from '../../../types/policy.ts'
import type { PoolOptions, TlsOptions } from '../../../types/options.ts'
import { createConnector } from './connector.ts'
import { CountingClient } from './counting-client.ts'

export type PoolConfig = Required<Omit<PoolOptions, 'tls'>> & Pick<PoolOptions, 'tls'>

export const poolSchema: OptionSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    connections: { kind: ['integer'], minimum: 1, default: 128 },
    keepAliveTimeout: { kind: ['integer'], minimum: 1, maximum: 600_000, default: 4000 },
    connectTimeout: { kind: ['integer'], minimum: 1, maximum: 600_000, default: 5000 },
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

/** Opens the pool of one endpoint. The gateway that asked for it closes it. */
export function createPool (origin: string, config: PoolConfig): Dispatcher {
  return new Pool(origin, {
    connections: config.connections,
    // More than one request in a connection would let one slow answer hold up others (head-of-line blocking).
    pipelining: 1,
    keepAliveTimeout: config.keepAliveTimeout,
    // An upstream that announces a longer idle time does not lengthen ours.
    keepAliveMaxTimeout: config.keepAliveTimeout,
    // Ours are kept by the deadlines of the exchange: undici's are up to a second late.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: createConnector(config),
    factory: (origin: URL | string, options: object) => new CountingClient(origin, options as ConstructorParameters<typeof CountingClient>[1])
  })
}

/** What makes two endpoints share a pool: the whole origin, the TLS identity and every setting. Never anything of a request. */
export function poolKey (origin: string, config: PoolConfig): string {
  const { connections, keepAliveTimeout, connectTimeout } = config
  return JSON.stringify([origin, connections, keepAliveTimeout, connectTimeout, config.tls === undefined ? '' : fingerprint(config.tls)])
}

function fingerprint (tls: TlsOptions): string {
  const hash = createHash('sha256')
  for (const part of [tls.ca, tls.cert, tls.key].map((value) => [value ?? ''].flat())) {
    hash.update(`${part.length};`)
    for (const item of part) hash.update(`${item.length}:`).update(item)
  }
  return hash.update(JSON.stringify([tls.servername, tls.rejectUnauthorized])).digest('hex')
}
