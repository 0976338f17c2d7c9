import { small } from '../answers.ts'
import { ordinary, type Scenario } from '../scenario.ts'
import { routes } from '../many.ts'

export const manyRoutes: Scenario = {
  ...ordinary,
  name: 'many-routes',
  what: 'as small-get, over 12,000 routes in turns',
  feature: 'routes',
  contenders: ['ours', 'ours-plain', 'fastify-http-proxy', 'floor'],
  path: `${routes[0]!}/small`,
  mix: () => routes.map((route) => ({ path: `${route}/small`, headers: {} })),
  answer: small,
  goals: [{ kind: 'cpu', against: 'ours-plain', most: 1.05 }]
}
