import { small } from '../answers.ts'
import { everywhere, ordinary, type Scenario } from '../scenario.ts'

export const thousandConnections: Scenario = {
  ...ordinary,
  name: 'thousand-connections',
  what: `GET, ${small.length}-byte answer, 1,000 connections`,
  contenders: everywhere,
  connections: 1000,
  path: '/small',
  answer: small
}
