import { medium } from '../answers.ts'
import type { Scenario } from '../scenario.ts'

export const get64k: Scenario = {
  name: 'get-64k',
  what: 'GET, 64 KiB answer, 64 connections',
  connections: 64,
  method: 'GET',
  path: '/64k',
  upload: 0,
  answer: medium,
  origin: 'fast',
  goals: { 'fastify-http-proxy': 0.65 }
}
