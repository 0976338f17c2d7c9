import { small } from '../answers.ts'
import { everywhere, ordinary, type Scenario } from '../scenario.ts'

export const https: Scenario = {
  ...ordinary,
  name: 'https',
  what: `GET, ${small.length}-byte answer, 64 connections, TLS on both sides`,
  feature: 'tls',
  contenders: everywhere,
  path: '/small',
  answer: small
}
