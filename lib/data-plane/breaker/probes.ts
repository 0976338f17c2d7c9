import type { Endpoint } from '../../../types/model.ts'

/*
 * The requests that a half-open endpoint is given. They are counted by themselves: a stream that was open before, or that a probe becomes,
 * decides nothing. A probe that is not judged after `probeTimeout` keeps the next one out no longer: its client may be the one who holds it.
 */

export function admitsProbe (endpoint: Endpoint, now: number): boolean {
  return endpoint.probing < endpoint.probes || now - endpoint.probedAt >= endpoint.probeTimeout
}

/** @returns which half-open period it belongs to */
export function beginProbe (endpoint: Endpoint, now: number): number {
  endpoint.probing++
  endpoint.probedAt = now
  return endpoint.breakerSince
}

/** It was judged, or ended without a judgement. */
export function endProbe (endpoint: Endpoint, period: number): void {
  if (endpoint.breaker === 'half-open' && endpoint.breakerSince === period) endpoint.probing--
}
