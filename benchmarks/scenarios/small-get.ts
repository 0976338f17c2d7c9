import { small } from '../answers.ts'
import type { Scenario } from '../scenario.ts'

export const smallGet: Scenario = {
  name: 'small-get',
  what: `GET, ${small.length}-byte answer, 64 connections`,
  connections: 64,
  method: 'GET',
  path: '/small',
  upload: 0,
  answer: small,
  origin: 'fast',
  goals: { 'fastify-http-proxy': 0.75 }
}
