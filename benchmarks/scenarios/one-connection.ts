import { small } from '../answers.ts'
import { ordinary, type Scenario } from '../scenario.ts'

/** Nothing waits for anything else here: what the proxy adds to p50 is its own latency. */
export const oneConnection: Scenario = {
  ...ordinary,
  name: 'one-connection',
  what: `GET, ${small.length}-byte answer, one connection`,
  connections: 1,
  path: '/small',
  answer: small,
  goals: [{ kind: 'added-p50', against: 'fastify-http-proxy', most: 0.5 }]
}
