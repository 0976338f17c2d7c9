import { medium, rewritten } from '../answers.ts'
import { ordinary, type Scenario } from '../scenario.ts'

export const rewrite64k: Scenario = {
  ...ordinary,
  name: 'rewrite-64k',
  what: 'as get-64k, with a text replaced that is in it 16 times',
  feature: 'rewrite',
  contenders: ['ours', 'ours-plain', 'fastify-http-proxy', 'floor', 'nginx'],
  path: '/64k',
  answer: rewritten,
  plainAnswer: medium
}
