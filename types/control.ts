import type { RouteOptions } from './options.ts'
import type { ProxyMetrics } from './metrics.ts'
import type { Explanation, ImaginedRequest } from './explanation.ts'
import type { ConnectionCounts, Snapshot, TunnelInfo, Upstream } from './model.ts'
import type { SlowExchange, SlowQuery } from './slowest.ts'

/** One thing wrong with the options. */
export interface Problem {
  /** Where: `routes[2].canary.weight` */
  readonly path: string
  /** What, and what was probably meant. */
  readonly message: string
}

/** `app.proxy.stats()`: everything as it is at this moment. Numbers only grow where it says so. */
export interface ProxyStats {
  readonly upstreams: Readonly<Record<string, UpstreamStats>>
}

export interface UpstreamStats {
  /** Endpoints that may be picked now. */
  readonly available: number
  /** Whether none is well, and health is not believed until one is. */
  readonly isPanic: boolean
  /** Attempts under way. */
  readonly active: number
  /** Those of them that are tunnels: WebSocket connections. */
  readonly tunnels: number
  /** Ejections that were due, and not made because `maxEjectedShare` were out already; grows. */
  readonly ejectionOverflows: number
  readonly endpoints: readonly EndpointStats[]
}

export interface EndpointStats {
  readonly origin: string
  readonly priority: number
  /** As configured; 0 is never available. */
  readonly weight: number
  /** Less while it starts slowly. */
  readonly currentWeight: number
  readonly isAvailable: boolean
  /** What health checks say; `unknown` without any. */
  readonly health: 'unknown' | 'healthy' | 'unhealthy'
  readonly isEjected: boolean
  /** Milliseconds left of the ejection; 0 without one. */
  readonly ejectedFor: number
  /** In a row, without a quiet time in between: what the length of the next is multiplied by. */
  readonly ejections: number
  readonly breaker: 'closed' | 'open' | 'half-open'
  /** Attempts under way, to the last byte. */
  readonly active: number
  /** Those of them that are tunnels. */
  readonly tunnels: number
  readonly connections: ConnectionCounts
  /** Health checks so far, both grow; null without any. */
  readonly probes: { readonly passed: number, readonly failed: number, readonly lastFault: string | null } | null
}

/** `fastify.proxy` */
export interface ProxyControl {
  /** Declares one more proxied route; only before the app is ready. */
  route (options: RouteOptions): void
  /** What is in force; null until the app is ready. */
  readonly snapshot: Snapshot | null
  /**
   * Changes a canary for requests that come from now on.
   * @param route id of the route, or its url where only one route has it
   * @param name name of the canary
   * @throws ConfigError if there is no such route or canary, the weight is not between 0 and 100, or the weights of the route's canaries
   * would be more than 100 in all
   */
  setCanary (route: string, name: string, change: { weight: number }): void
  /** What is counted, and who reads it. */
  readonly metrics: ProxyMetrics
  /**
   * The slowest exchanges of each route, of the last five to ten minutes and, closely, of the last one; slowest first: where their time went, and whether this
   * process collected garbage or had its event loop held up meanwhile. Event streams and tunnels are not among them.
   */
  slowest (filter?: SlowQuery): SlowExchange[]
  /**
   * What would be done with a request: which route takes it, which side and why, which endpoints there are in which state, what would be
   * sent, and what holds for it. Sends nothing and runs no hook of the app's; functions of the route's options are called. Of routes of the
   * app that were declared before this plugin, those without parameters are seen.
   * @throws Error before the app is ready; TypeError without a url
   */
  explain (request: ImaginedRequest): Explanation
  /** What upstreams, endpoints and connections are like now. Reads, and changes nothing; empty until the app is ready. */
  stats (): ProxyStats
  /** An upstream by its name; undefined if there is none. */
  upstream (name: string): Upstream | undefined
  /** The tunnels that are open: WebSocket connections, in the order in which they were opened. */
  tunnels (): readonly TunnelInfo[]
}
