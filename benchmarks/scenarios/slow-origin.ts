import { small } from '../answers.ts'
import { ordinary, type Scenario } from '../scenario.ts'

/** Nobody is saturated: the share of the direct rate shows what the proxy adds to each wait. */
export const slowOrigin: Scenario = {
  ...ordinary,
  name: 'slow-origin',
  what: `GET, ${small.length}-byte answer after about 11.5 ms, 100 connections`,
  connections: 100,
  path: '/slow',
  answer: small,
  origin: 'scripted',
  goals: [
    { kind: 'share', least: 0.98 },
    { kind: 'added-p99', most: 1 }
  ]
}
