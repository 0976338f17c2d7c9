import type { Endpoint, Tier } from '../../types/model.ts'

export interface Availability {
  readonly available: readonly Endpoint[]
  readonly tiers: readonly Tier[] | null
  readonly isPanic: boolean
}

/** A priority can lose this much of its endpoints before any of its traffic spills over: 1 in 1.4 is 71 %. Envoy's figure. */
const OVERPROVISIONING = 1.4

/**
 * Which endpoints may be picked now, and how much of the traffic each priority gets. Looks at the endpoints and at nothing else, so that
 * whoever changed one can ask again.
 *
 * With nothing left that is well, health is not believed any more (panic): what judges so harshly is likelier to be wrong than
 * everything to be down, and an error is what the client would get anyway. An open breaker is believed even then: it lets its own probes through.
 *
 * An endpoint of weight 0 is not one of them: whoever wrote that has taken it out, and neither a retry nor panic brings it back.
 */
export function availabilityOf (all: readonly Endpoint[]): Availability {
  const endpoints = all.filter(hasWeight)
  if (endpoints.length === 0) return { available: [], tiers: null, isPanic: false }
  const available = endpoints.filter(isWell)
  if (available.length === 0) {
    const rest = endpoints.filter(({ breaker }) => breaker !== 'open')
    const first = Math.min(...rest.map(({ priority }) => priority))
    return { available: rest.filter(({ priority }) => priority === first), tiers: null, isPanic: true }
  }
  if (endpoints.every(({ priority }) => priority === endpoints[0]!.priority)) return { available, tiers: null, isPanic: false }
  const tiers = spill(endpoints, available)
  // Those that get nothing now are for nobody, but for retries that have tried all others.
  return { available, tiers, isPanic: false }
}

/** True of endpoints that are for traffic: one of weight 0 is not, and counts in no share of those that are. */
export function hasWeight ({ baseWeight }: Endpoint): boolean {
  return baseWeight > 0
}

function isWell ({ health, ejectedUntil, breaker }: Endpoint): boolean {
  return health !== 'unhealthy' && ejectedUntil === 0 && breaker !== 'open'
}

function spill (endpoints: readonly Endpoint[], available: readonly Endpoint[]): Tier[] | null {
  const priorities = [...new Set(endpoints.map(({ priority }) => priority))].sort((a, b) => a - b)
  const parts = priorities.map((priority) => {
    const all = endpoints.filter((endpoint) => endpoint.priority === priority)
    const well = available.filter((endpoint) => endpoint.priority === priority)
    return { well, health: Math.min(1, OVERPROVISIONING * well.length / all.length) }
  })
  const total = Math.min(1, parts.reduce((sum, { health }) => sum + health, 0))
  const tiers: Tier[] = []
  let given = 0
  for (const { well, health } of parts) {
    const load = Math.min(1 - given, health / total)
    given += load
    if (load > 0) tiers.push({ available: well, upTo: given })
  }
  return tiers
}
