import { large } from '../answers.ts'
import type { Scenario } from '../scenario.ts'

export const download10m: Scenario = {
  name: 'download-10m',
  what: 'GET, 10 MiB answer, 8 connections',
  connections: 8,
  method: 'GET',
  path: '/10m',
  upload: 0,
  answer: large,
  origin: 'fast',
  goals: {}
}
