import type { Endpoint, EndpointPool, Seats } from '../../types/model.ts'
import { PoolSeats } from './seats.ts'

interface EndpointSettings {
  readonly weight: number
  readonly priority: number
  /** In place of the authority of the origin. */
  readonly host: string | null
  readonly servername: string | null
  readonly connections: number
  readonly connectTimeout: number
  readonly probes?: number
  /** In place of its address in metrics. */
  readonly label?: string
  /** Whether connections put the authority of their origin into Host themselves; undici's do. */
  readonly saysHost?: boolean
}

export class ProxyEndpoint implements Endpoint {
  readonly origin: string
  readonly label: string
  readonly host: string
  readonly hostField: string | null
  readonly basePath: string
  readonly baseWeight: number
  weight: number
  readonly priority: number
  readonly servername: string | null
  readonly connections: number
  readonly connectTimeout: number
  readonly pool: EndpointPool
  readonly seats: Seats
  active = 0
  tunnels = 0
  health: Endpoint['health'] = 'unknown'
  ejectedUntil = 0
  isFaltering = false
  failures = 0
  readonly probes: number
  breaker: Endpoint['breaker'] = 'closed'

  /** @param seats those of the pool, where another endpoint shares it */
  constructor (url: URL, settings: EndpointSettings, pool: EndpointPool, seats: Seats = new PoolSeats(settings.connections)) {
    this.origin = url.origin
    this.host = settings.host ?? url.host
    this.hostField = settings.saysHost === true && this.host === url.host ? null : this.host
    this.basePath = url.pathname === '/' ? '' : url.pathname.replace(/\/$/, '')
    this.baseWeight = settings.weight
    this.weight = settings.weight
    this.priority = settings.priority
    this.label = settings.label ?? this.origin + this.basePath
    this.servername = url.protocol === 'https:' ? settings.servername ?? url.hostname.replace(/^\[|\]$/g, '') : null
    this.connections = settings.connections
    this.connectTimeout = settings.connectTimeout
    this.pool = pool
    this.probes = settings.probes ?? 1
    this.seats = seats
  }
}
