import { large } from '../answers.ts'
import { ordinary, type Scenario } from '../scenario.ts'

export const download10m: Scenario = {
  ...ordinary,
  name: 'download-10m',
  what: 'GET, 10 MiB answer, 8 connections',
  connections: 8,
  path: '/10m',
  answer: large,
  goals: [
    { kind: 'cpu', against: 'fastify-http-proxy', most: 0.6 },
    { kind: 'cpu', against: 'go-httputil', most: 1.5 }
  ]
}
