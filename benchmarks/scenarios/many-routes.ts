import { small } from '../answers.ts'
import { ordinary, type Scenario } from '../scenario.ts'
import { manyPaths } from '../many.ts'

const paths = manyPaths()

const shared: Omit<Scenario, 'name' | 'what'> = {
  ...ordinary,
  feature: 'routes',
  contenders: ['ours', 'ours-plain', 'fastify-http-proxy', 'floor'],
  path: `${paths[7301]!}/small`,
  answer: small,
  goals: [{ kind: 'cpu', against: 'ours-plain', most: 1.05 }]
}

/** What declaring many costs a request. */
export const manyRoutes: Scenario = {
  ...shared,
  name: 'many-routes',
  what: 'as small-get, to one of 12,000 routes'
}

/** The same and worse: each is asked for when it has been forgotten by all caches of the processor. */
export const manyRoutesInTurns: Scenario = {
  ...shared,
  name: 'many-routes-in-turns',
  what: 'as small-get, to each of 12,000 routes in turns',
  mix: () => paths.map((path) => ({ path: `${path}/small`, headers: {} }))
}
