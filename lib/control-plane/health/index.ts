import type { HealthOptions } from '../../../types/options.ts'
import type { OptionSchema } from '../../../types/policy.ts'
import { checkBoolean, named } from '../../model/option-result.ts'

/** Every default in place. */
export type HealthConfig = Required<Omit<HealthOptions, 'maxLatency' | 'status'>> & Pick<HealthOptions, 'maxLatency' | 'status'>

const milliseconds = { kind: ['integer'], minimum: 1, maximum: 2 ** 31 - 1 }

export const healthSchema: OptionSchema = {
  kind: ['false', 'object'],
  additionalProperties: false,
  properties: {
    path: { kind: ['string'], pattern: '^/[!-~]*$', meaning: "a path that begins with '/'", default: '/' },
    method: { kind: ['string'], enum: ['GET', 'HEAD'], default: 'GET' },
    interval: { ...milliseconds, minimum: 10, default: 10_000 },
    timeout: milliseconds,
    rise: { kind: ['integer'], minimum: 1, default: 2 },
    fall: { kind: ['integer'], minimum: 1, default: 3 },
    status: { kind: ['integers', 'function'] },
    maxLatency: milliseconds,
    headers: {
      type: 'object',
      propertyNames: { pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", meaning: 'a header name' },
      additionalProperties: { kind: ['string'], pattern: '^[\\t\\x20-\\x7e\\x80-\\xff]*$', meaning: 'a header value, on one line' },
      default: {}
    },
    waitForHealthy: { kind: ['integer'], minimum: 0, maximum: 600_000, default: 0 }
  }
}

/** What of a probe's answer is judged. */
export interface ProbeOutcome {
  readonly statusCode: number
  /** Milliseconds from the start of the probe to the head. */
  readonly latency: number
}

/** RFC 9110 15.4: those that send elsewhere. */
const redirects = new Set([301, 302, 303, 307, 308])

/**
 * What is wrong with an answer, in words that do not vary with the traffic; null if it passes. A redirect leads elsewhere and says nothing of
 * this endpoint, so it fails unless `status` takes it.
 */
export function faultOf ({ statusCode, latency }: ProbeOutcome, { status, maxLatency }: HealthConfig): string | null {
  const isExpected = status === undefined
    ? statusCode >= 200 && statusCode < 400 && !redirects.has(statusCode)
    : typeof status === 'function' ? checkBoolean('health.status', named('health.status', 'responseHeaders', status)(statusCode)) : status.includes(statusCode)
  if (!isExpected) return `status ${statusCode}`
  return maxLatency !== undefined && latency > maxLatency ? 'too slow' : null
}
