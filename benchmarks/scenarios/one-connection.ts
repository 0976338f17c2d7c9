import { small } from '../answers.ts'
import type { Scenario } from '../scenario.ts'

/** Nothing waits for anything else here: what the proxy adds to p50 is its own latency. */
export const oneConnection: Scenario = {
  name: 'one-connection',
  what: `GET, ${small.length}-byte answer, one connection`,
  connections: 1,
  method: 'GET',
  path: '/small',
  upload: 0,
  answer: small,
  origin: 'fast',
  goals: {}
}
