import type { FastifyRequest } from 'fastify'
import type { Canary, Upstream } from '../../types/model.ts'

interface CanarySettings {
  readonly name: string
  readonly upstream: Upstream
  readonly header: string | null
  readonly cookie: string | null
  readonly values: ReadonlySet<string> | RegExp | null
  readonly sticky: ((request: FastifyRequest) => string | undefined) | null
  readonly onEmpty: 'stable' | 'fail'
  readonly fallback: boolean
  readonly weight: number
}

export class ProxyCanary implements Canary {
  readonly name: string
  readonly upstream: Upstream
  readonly header: string | null
  readonly cookie: string | null
  readonly values: ReadonlySet<string> | RegExp | null
  readonly sticky: ((request: FastifyRequest) => string | undefined) | null
  readonly onEmpty: 'stable' | 'fail'
  readonly fallback: boolean
  weight: number
  fallbacks = 0

  constructor (settings: CanarySettings) {
    this.name = settings.name
    this.upstream = settings.upstream
    this.header = settings.header
    this.cookie = settings.cookie
    this.values = settings.values
    this.sticky = settings.sticky
    this.onEmpty = settings.onEmpty
    this.fallback = settings.fallback
    this.weight = settings.weight
  }
}
