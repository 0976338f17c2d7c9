import type { Transform } from '../../../types/policy.ts'
import type { ResponseHead } from '../../../types/options.ts'
import type { Exchange } from '../../../types/model.ts'
import { connectOf, firstByteOf, queueOf, requestOf, selectOf } from '../../model/stages.ts'

/** Shows the caller which variant answered, and where the time went, as far as it had by the head of the answer. */
export class Expose implements Transform<ResponseHead> {
  apply (head: ResponseHead, exchange: Exchange): void {
    head.headers['x-variant'] = exchange.variant
    const attempt = exchange.last!
    let timing = `upstream;dur=${milliseconds(attempt.headAt - attempt.startedAt)}, proxy;dur=${milliseconds(selectOf(exchange))}`
    timing += `, queue;dur=${milliseconds(queueOf(exchange))}, connect;dur=${milliseconds(connectOf(attempt))}`
    timing += `, request;dur=${milliseconds(requestOf(attempt))}, ttfb;dur=${milliseconds(firstByteOf(attempt))}`
    const present = head.headers['server-timing']
    head.headers['server-timing'] = present === undefined ? timing : [present, timing].flat()
  }
}

function milliseconds (duration: number): number {
  return Math.round(duration * 100) / 100
}
