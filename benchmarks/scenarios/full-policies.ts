import { small } from '../answers.ts'
import { ordinary, type Scenario } from '../scenario.ts'

export const fullPolicies: Scenario = {
  ...ordinary,
  name: 'full-policies',
  what: 'as small-get, with every policy that a route and an upstream can have',
  feature: 'policies',
  contenders: ['ours', 'ours-plain', 'fastify-http-proxy', 'floor', 'go-httputil'],
  path: '/small',
  answer: small
}
