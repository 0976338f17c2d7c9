import type { OutlierOptions } from '../../../types/options.ts'
import type { OptionSchema } from '../../../types/policy.ts'

export type OutlierConfig = Required<OutlierOptions>

const milliseconds = { kind: ['integer'], minimum: 1, maximum: 2 ** 31 - 1 }

export const outlierSchema: OptionSchema = {
  kind: ['false', 'object'],
  additionalProperties: false,
  properties: {
    consecutiveFailures: { kind: ['integer'], minimum: 1, default: 5 },
    failureRate: { kind: ['number'], exclusiveMinimum: 0, maximum: 1, default: 0.3 },
    minimumRequests: { kind: ['integer'], minimum: 1, default: 10 },
    window: { ...milliseconds, minimum: 60, default: 60_000 },
    baseEjection: { ...milliseconds, default: 30_000 },
    maxEjection: milliseconds,
    maxEjectedShare: { kind: ['number'], minimum: 0, maximum: 1, default: 0.5 }
  }
}
