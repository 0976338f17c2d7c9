import { medium } from '../answers.ts'
import { ordinary, type Scenario } from '../scenario.ts'

export const get64k: Scenario = {
  ...ordinary,
  name: 'get-64k',
  what: 'GET, 64 KiB answer, 64 connections',
  path: '/64k',
  answer: medium,
  goals: [
    { kind: 'cpu', against: 'floor', most: 0.95 },
    { kind: 'cpu', against: 'go-httputil', most: 1 }
  ]
}
