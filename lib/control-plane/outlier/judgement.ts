import type { Attempt } from '../../../types/model.ts'
import { wasClosedMeanwhile } from '../../model/stale.ts'

/**
 * What an attempt says of its endpoint. `refused`: no connection came about; `broken`: it failed otherwise; `unavailable`: it says itself that it
 * cannot; `well`: anything else that it answered, 500 too, because one faulty page is no reason to lose an endpoint. null: nothing.
 */
export type Judgement = 'well' | 'refused' | 'broken' | 'unavailable' | null

/** Answers that were too much for us, not wrong of them. */
const tooMuch: ReadonlySet<string> = new Set(['http_response_header_section_size', 'http_response_body_size'])

export function judge (attempt: Attempt): Judgement {
  const { error, statusCode } = attempt
  if (error === null) return statusCode === 502 || statusCode === 503 || statusCode === 504 ? 'unavailable' : 'well'
  // The client left, or a limit, a deadline or a transform of ours ended it.
  if (error.side !== 'upstream' || tooMuch.has(error.error)) return null
  if (wasClosedMeanwhile(attempt)) return null
  return error.phase === 'connect' ? 'refused' : 'broken'
}
