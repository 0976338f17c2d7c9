import type { EndpointStats, ProxyStats, UpstreamStats } from '../../types/control.ts'
import type { Endpoint } from '../../types/model.ts'
import type { UpstreamMonitor } from './monitor.ts'

/** A look at everything as it is now; read when asked, kept by nobody. */
export function statsOf (monitors: Iterable<UpstreamMonitor>, now: number): ProxyStats {
  const upstreams: Record<string, UpstreamStats> = {}
  for (const monitor of monitors) {
    const { name, state } = monitor.upstream
    const endpoints = state.endpoints.map((endpoint) => endpointStats(endpoint, monitor, now))
    upstreams[name] = {
      available: state.available.length,
      isPanic: state.isPanic,
      active: endpoints.reduce((sum, { active }) => sum + active, 0),
      tunnels: endpoints.reduce((sum, { tunnels }) => sum + tunnels, 0),
      ejectionOverflows: monitor.ejector?.overflows ?? 0,
      endpoints
    }
  }
  return { upstreams }
}

function endpointStats (endpoint: Endpoint, monitor: UpstreamMonitor, now: number): EndpointStats {
  const { origin, baseWeight, weight, priority, health, ejectedUntil, breaker, active, tunnels, pool } = endpoint
  const probes = monitor.probes.get(endpoint)
  return {
    origin,
    priority,
    weight: baseWeight,
    currentWeight: weight,
    isAvailable: monitor.upstream.state.available.includes(endpoint),
    health,
    isEjected: ejectedUntil !== 0,
    ejectedFor: ejectedUntil === 0 ? 0 : Math.max(0, Math.round(ejectedUntil - now)),
    ejections: monitor.ejector?.ejectionsOf(endpoint) ?? 0,
    breaker,
    active,
    tunnels,
    connections: pool.connections,
    probes: probes === undefined ? null : { ...probes }
  }
}
