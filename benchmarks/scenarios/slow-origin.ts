import { small } from '../answers.ts'
import type { Scenario } from '../scenario.ts'

/** Nobody is saturated: the share of the direct rate shows what the proxy adds to each wait. */
export const slowOrigin: Scenario = {
  name: 'slow-origin',
  what: `GET, ${small.length}-byte answer after about 11.5 ms, 100 connections`,
  connections: 100,
  method: 'GET',
  path: '/slow',
  upload: 0,
  answer: small,
  origin: 'scripted',
  goals: {}
}
