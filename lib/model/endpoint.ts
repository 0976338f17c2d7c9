import type { Endpoint, EndpointPool, Seats } from '../../types/model.ts'
import { nameForTls, type Origin } from './origin.ts'
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
  readonly probeTimeout?: number
  /** In place of its address in metrics. */
  readonly label?: string
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
  refusals = 0
  readonly probes: number
  readonly probeTimeout: number
  probing = 0
  probedAt = 0
  passed = 0
  breaker: Endpoint['breaker'] = 'closed'
  breakerSince = 0

  /** @param seats those of the pool, where another endpoint shares it */
  constructor (origin: Origin, settings: EndpointSettings, pool: EndpointPool, seats: Seats = new PoolSeats(settings.connections)) {
    this.origin = origin.text
    this.host = settings.host ?? origin.authority
    this.hostField = this.host === origin.authority ? null : this.host
    this.basePath = origin.path.replace(/\/$/, '')
    this.baseWeight = settings.weight
    this.weight = settings.weight
    this.priority = settings.priority
    this.label = settings.label ?? this.origin + this.basePath
    this.servername = origin.isSecure ? nameForTls(settings.servername ?? origin.hostname) : null
    this.connections = settings.connections
    this.connectTimeout = settings.connectTimeout
    this.pool = pool
    this.probes = settings.probes ?? 1
    this.probeTimeout = settings.probeTimeout ?? Infinity
    this.seats = seats
  }
}
