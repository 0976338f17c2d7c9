import { small } from '../answers.ts'
import { ordinary, type Scenario } from '../scenario.ts'

export const eightEndpoints: Scenario = {
  ...ordinary,
  name: 'eight-endpoints',
  what: 'as small-get, spread over eight endpoints',
  feature: 'endpoints',
  contenders: ['ours', 'ours-plain', 'fastify-http-proxy', 'floor', 'haproxy', 'nginx'],
  path: '/small',
  answer: small
}
