import { countOf } from '../answers.ts'
import type { Scenario } from '../scenario.ts'

const upload = 1024

export const post1k: Scenario = {
  name: 'post-1k',
  what: 'POST, 1 KiB upload, 64 connections',
  connections: 64,
  method: 'POST',
  path: '/echo-length',
  upload,
  answer: countOf(upload),
  origin: 'fast',
  goals: {}
}
