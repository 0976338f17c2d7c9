import { small } from '../answers.ts'
import { ordinary, type Scenario } from '../scenario.ts'

export const canary: Scenario = {
  ...ordinary,
  name: 'canary',
  what: 'as small-get; every second request has the header that sends it to another upstream',
  feature: 'canary',
  contenders: ['ours', 'ours-plain', 'fastify-http-proxy', 'floor', 'haproxy', 'nginx'],
  path: '/small',
  mix: () => [{ path: '/small', headers: {} }, { path: '/small', headers: { 'x-canary': 'true' } }],
  answer: small
}
