import type { Scenario } from '../scenario.ts'
import { canary } from './canary.ts'
import { download10m } from './download-10m.ts'
import { eightEndpoints } from './eight-endpoints.ts'
import { fullPolicies } from './full-policies.ts'
import { get64k } from './get-64k.ts'
import { https } from './https.ts'
import { manyRoutes, manyRoutesInTurns } from './many-routes.ts'
import { noKeepAlive } from './no-keep-alive.ts'
import { oneConnection } from './one-connection.ts'
import { post1k } from './post-1k.ts'
import { post1m } from './post-1m.ts'
import { rewrite64k } from './rewrite-64k.ts'
import { slowOrigin } from './slow-origin.ts'
import { smallGet } from './small-get.ts'
import { thousandConnections } from './thousand-connections.ts'

/** In the order they are run and printed. */
export const scenarios: readonly Scenario[] = [
  smallGet,
  get64k,
  download10m,
  post1k,
  post1m,
  oneConnection,
  slowOrigin,
  noKeepAlive,
  thousandConnections,
  https,
  canary,
  eightEndpoints,
  fullPolicies,
  manyRoutes,
  manyRoutesInTurns,
  rewrite64k
]
