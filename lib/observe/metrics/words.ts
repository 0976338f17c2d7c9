import { METHODS } from 'node:http'
import { errorNames, proxyError } from '../../errors.ts'

/*
 * Label values by number. A number can be counted under without a string being made of it; and what has no number here, whoever
 * sent it, is `other`.
 */

/** Stands for whatever is not in a list. */
export const OTHER = 'other'

export interface Words {
  /** Of index 0 on; the last is OTHER. */
  readonly list: readonly string[]
  indexOf (word: string): number
}

export function words (list: readonly string[]): Words {
  const all = [...new Set(list), OTHER]
  const indices = new Map(all.map((word, index) => [word, index]))
  return {
    list: all,
    indexOf: (word) => indices.get(word) ?? all.length - 1
  }
}

export const methods: Words = words(METHODS)
/** Several rows of the error table share a word. The first is for nothing having failed. */
export const errors: Words = words(['', ...errorNames.map((name) => proxyError(name, 'select').error)])
export const codeClasses: Words = words(['', '1xx', '2xx', '3xx', '4xx', '5xx'])

/** Index in `codeClasses`; 0 where there was no answer. */
export function classOf (statusCode: number): number {
  if (statusCode < 100) return 0
  return statusCode < 600 ? (statusCode / 100) | 0 : 6
}

/** What a retry was for: a word of the error table or a class of statuses; and the classes of failures that a budget refuses. */
export const retryReasons: Words = words([...errors.list, ...codeClasses.list.slice(1), 'connect', 'stale', 'reset', 'timeout', 'status'])
export const results: Words = words(['success', 'failure', 'budget_exhausted'])
export const canaryReasons: Words = words(['header', 'cookie', 'weight'])
export const closeReasons: Words = words(['upstream', 'idle', 'proxy', 'error'])
export const tlsErrors: readonly string[] = ['tls_certificate_error', 'tls_protocol_error', 'tls_alert_received']
export const breakerStates: Words = words(['closed', 'half-open', 'open'])
