import { small } from '../answers.ts'
import { ordinary, type Scenario } from '../scenario.ts'

export const smallGet: Scenario = {
  ...ordinary,
  name: 'small-get',
  what: `GET, ${small.length}-byte answer, 64 connections`,
  path: '/small',
  answer: small,
  goals: [
    { kind: 'cpu', against: 'floor', most: 1 },
    { kind: 'cpu', against: 'fastify-http-proxy', most: 0.6 },
    { kind: 'cpu', against: 'go-httputil', most: 0.8 }
  ]
}
