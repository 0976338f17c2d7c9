import type { LimitOptions } from '../../../types/options.ts'
import type { OptionSchema } from '../../../types/policy.ts'

export type LimitConfig = Required<LimitOptions>

export const limitsSchema: OptionSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    active: { kind: ['integer'], minimum: 1, maximum: 1_000_000, default: 1024 },
    pending: { kind: ['integer'], minimum: 0, maximum: 1_000_000, default: 1024 },
    queueTimeout: { kind: ['integer'], minimum: 1, maximum: 600_000, default: 5000 }
  }
}
