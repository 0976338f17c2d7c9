import type { RetryOptions, TimeoutOptions } from '../../../types/options.ts'
import type { OptionSchema, RetryPolicy, Tools } from '../../../types/policy.ts'
import { Backoff } from './backoff.ts'
import { Budget } from './budget.ts'
import { RetryByClass } from './by-class.ts'

export type RetryConfig = Required<Omit<RetryOptions, 'methods' | 'budget' | 'backoff'>> & Pick<RetryOptions, 'methods'> & {
  readonly budget: Required<NonNullable<RetryOptions['budget']>>
  readonly backoff: Required<NonNullable<RetryOptions['backoff']>>
}

export const budgetSchema: OptionSchema = {
  type: 'object',
  additionalProperties: false,
  default: {},
  properties: {
    share: { kind: ['number'], minimum: 0, maximum: 1, default: 0.2 },
    minimum: { kind: ['integer'], minimum: 0, maximum: 1_000_000, default: 3 }
  }
}

export const backoffSchema: OptionSchema = {
  type: 'object',
  additionalProperties: false,
  default: {},
  properties: {
    base: { kind: ['integer'], minimum: 0, maximum: 60_000, default: 25 },
    max: { kind: ['integer'], minimum: 0, maximum: 600_000, default: 250 }
  }
}

export const retrySchema: OptionSchema = {
  kind: ['false', 'object'],
  additionalProperties: false,
  properties: {
    attempts: { kind: ['integer'], minimum: 0, maximum: 20, default: 1 },
    on: { type: 'array', default: ['connect', 'stale'], items: { kind: ['retryClass'] } },
    methods: { kind: ['strings'] },
    budget: budgetSchema,
    backoff: backoffSchema
  }
}

/** The retry policy of a route; null where nothing is ever tried again. */
export function createRetry (config: RetryConfig | false, tools: Tools): RetryPolicy | null {
  if (config === false || config.attempts === 0 || config.on.length === 0) return null
  return new RetryByClass(config, new Backoff(config.backoff.base, config.backoff.max, tools.random), new Budget(config.budget.share, config.budget.minimum), tools)
}

/**
 * Finds a contradiction between a retry policy and the timeouts of its route; null if there is none.
 * @param timeouts as they were written
 */
export function findRetryFault ({ on, backoff }: RetryConfig, { head, attempt = 0 }: TimeoutOptions): { key: string, message: string } | null {
  if (backoff.base > backoff.max) return { key: 'backoff', message: `has a base of ${backoff.base} ms, more than its max of ${backoff.max} ms` }
  if (on.includes('timeout') && head === 0 && attempt === 0) {
    return { key: 'on', message: "has 'timeout', which never happens: timeouts.head is 0, and there is no timeouts.attempt" }
  }
  return null
}
