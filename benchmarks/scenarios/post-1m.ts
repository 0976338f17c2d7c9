import { countOf } from '../answers.ts'
import { ordinary, type Scenario } from '../scenario.ts'

const upload = 1024 * 1024

export const post1m: Scenario = {
  ...ordinary,
  name: 'post-1m',
  what: 'POST, 1 MiB upload, 16 connections',
  // With 64, buffers of the load generator would be a good part of a small machine's memory.
  connections: 16,
  method: 'POST',
  path: '/echo-length',
  upload,
  answer: countOf(upload)
}
