import { countOf } from '../answers.ts'
import { ordinary, type Scenario } from '../scenario.ts'

const upload = 1024

export const post1k: Scenario = {
  ...ordinary,
  name: 'post-1k',
  what: 'POST, 1 KiB upload, 64 connections',
  method: 'POST',
  path: '/echo-length',
  upload,
  answer: countOf(upload),
  goals: [{ kind: 'cpu', against: 'fastify-http-proxy', most: 0.65 }]
}
