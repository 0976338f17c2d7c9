import type { FastifyRequest } from 'fastify'
import type { Canary, Upstream } from '../../types/model.ts'
import type { CallerKey } from '../../types/options.ts'

interface CanarySettings {
  readonly name: string
  readonly upstream: Upstream
  readonly header: string | null
  readonly cookie: string | null
  readonly values: ReadonlySet<string> | RegExp | null
  readonly sticky: ((request: FastifyRequest) => CallerKey) | null
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
  readonly sticky: ((request: FastifyRequest) => CallerKey) | null
  readonly onEmpty: 'stable' | 'fail'
  readonly fallback: boolean
  weight: number
  threshold: number
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
    this.threshold = settings.weight
  }
}

/** The sum of the weights of a route's canaries; to six decimals, since 33.3 + 33.3 + 33.4 is not 100 to a computer. */
export function sumOfWeights (canaries: readonly { readonly weight: number }[]): number {
  return rounded(canaries.reduce((sum, { weight }) => sum + weight, 0))
}

/**
 * Works out the threshold of each canary of a route, so that its weight is its share of all: a canary draws only of the callers whom those
 * before it have left. The first one draws with its own weight, whatever is behind it; and since raising a weight lowers no threshold, it
 * moves nobody to stable.
 */
export function settleThresholds (canaries: readonly Canary[]): void {
  let given = 0
  for (const canary of canaries) {
    canary.threshold = thresholdOf(canary.weight, rounded(100 - given))
    given += canary.weight
  }
}

function thresholdOf (weight: number, rest: number): number {
  if (weight === 0 || rest === 100) return weight
  return weight >= rest ? 100 : 100 * weight / rest
}

function rounded (perCent: number): number {
  return Math.round(perCent * 1e6) / 1e6
}
