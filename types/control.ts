import type { RouteOptions } from './options.ts'
import type { ProxyMetrics } from './metrics.ts'
import type { Explanation, ImaginedRequest } from './explanation.ts'
import type { Snapshot, TunnelInfo, Upstream } from './model.ts'
import type { SlowExchange, SlowQuery } from './slowest.ts'

/** One thing wrong with the options. */
export interface Problem {
  /** Where: `routes[2].canary.weight` */
  readonly path: string
  /** What, and what was probably meant. */
  readonly message: string
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
   * @throws ConfigError if there is no such route or canary, or the weight is not between 0 and 100
   */
  setCanary (route: string, name: string, change: { weight: number }): void
  /** What is counted, and who reads it. */
  readonly metrics: ProxyMetrics
  /**
   * The slowest exchanges of the last five to ten minutes, ten of each route, slowest first: where their time went, and whether this
   * process collected garbage or had its event loop held up meanwhile. Event streams and tunnels are not among them.
   */
  slowest (filter?: SlowQuery): SlowExchange[]
  /**
   * What would be done with a request: which route takes it, which side and why, which endpoints there are in which state, what would be
   * sent, and what holds for it. Sends nothing and runs no hook of the app's; functions of the route's options are called. Of routes of the
   * app that were declared before this plugin, those without parameters are seen.
   * @throws Error before the app is ready
   */
  explain (request: ImaginedRequest): Explanation
  /** An upstream by its name; undefined if there is none. */
  upstream (name: string): Upstream | undefined
  /** The tunnels that are open: WebSocket connections, in the order in which they were opened. */
  tunnels (): readonly TunnelInfo[]
}
