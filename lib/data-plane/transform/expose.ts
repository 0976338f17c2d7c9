import type { Transform } from '../../../types/policy.ts'
import type { ResponseHead } from '../../../types/options.ts'
import type { Exchange } from '../../../types/model.ts'

/** Shows the caller which variant answered, and where the time went. */
export class Expose implements Transform<ResponseHead> {
  apply (head: ResponseHead, exchange: Exchange): void {
    head.headers['x-variant'] = exchange.variant
    const attempt = exchange.last!
    const timing = `upstream;dur=${milliseconds(attempt.headAt - attempt.startedAt)}, proxy;dur=${milliseconds(attempt.startedAt - exchange.startedAt)}`
    const present = head.headers['server-timing']
    head.headers['server-timing'] = present === undefined ? timing : [present, timing].flat()
  }
}

function milliseconds (duration: number): number {
  return Math.round(duration * 100) / 100
}
