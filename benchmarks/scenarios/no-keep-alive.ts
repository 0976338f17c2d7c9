import { small } from '../answers.ts'
import { everywhere, ordinary, type Scenario } from '../scenario.ts'

/** Every request comes over a connection of its own; those to the origin are kept. */
export const noKeepAlive: Scenario = {
  ...ordinary,
  name: 'no-keep-alive',
  what: `GET, ${small.length}-byte answer, 64 clients that open a connection for each request`,
  contenders: everywhere,
  keepAlive: false,
  path: '/small',
  answer: small
}
