import type { OutlierOptions, PoolOptions, RetryOptions, TimeoutOptions } from '../../types/options.ts'
import type { HealthConfig } from '../control-plane/health/index.ts'
import type { OutlierConfig } from '../control-plane/outlier/index.ts'
import type { RetryConfig } from '../data-plane/retry/index.ts'

/*
 * Defaults that depend on what was written: a limit that nobody wrote gives way to one that somebody did, so that no user is told of a
 * number that he has not seen. What was written by two hands (a route and `defaults`) may contradict itself, and is checked elsewhere.
 */

/** Milliseconds; see HealthOptions.timeout. */
const LONGEST_CHECK = 5000
/** Milliseconds; see OutlierOptions.maxEjection. */
const LONGEST_EJECTION = 300_000

type Pool = Required<Pick<PoolOptions, 'connections' | 'warm'>>

export function completePool<Config extends Pool> (pool: Config, written: PoolOptions = {}): Config {
  return { ...pool, connections: written.connections ?? Math.max(pool.connections, pool.warm) }
}

/** Names of fields in lower case, too. */
export function completeHealth (health: false | HealthConfig): false | HealthConfig {
  if (health === false) return false
  const { interval, maxLatency = 0, timeout = Math.max(maxLatency, Math.min(LONGEST_CHECK, interval)) } = health
  const headers = Object.fromEntries(Object.entries(health.headers).map(([name, value]) => [name.toLowerCase(), value]))
  return { ...health, headers, timeout }
}

export function completeOutlier (outlier: false | OutlierConfig, written: false | OutlierOptions = {}): false | OutlierConfig {
  if (outlier === false || written === false) return false
  const { maxEjection } = written
  const baseEjection = written.baseEjection ?? Math.min(outlier.baseEjection, maxEjection ?? Infinity)
  return { ...outlier, baseEjection, maxEjection: maxEjection ?? Math.max(LONGEST_EJECTION, baseEjection) }
}

export function completeRetry (retry: false | RetryConfig, written: false | RetryOptions = {}): false | RetryConfig {
  if (retry === false || written === false) return retry
  const { backoff: { base, max } } = retry
  const { backoff = {} } = written
  return { ...retry, backoff: { base: backoff.base ?? Math.min(base, max), max: backoff.max ?? Math.max(base, max) } }
}

/**
 * Within a total that was written, the head may take all of it. Where timeouts are tried again and nothing says after how long, each
 * attempt has an equal part.
 */
export function completeTimeouts (
  timeouts: Required<TimeoutOptions>, written: TimeoutOptions, retry: RetryConfig | false
): Required<TimeoutOptions> {
  const { total, head } = timeouts
  if (total === 0) return timeouts
  const isTriedAgain = retry !== false && retry.attempts > 0 && retry.on.includes('timeout')
  const isShared = isTriedAgain && written.head === undefined && written.attempt === undefined
  return {
    ...timeouts,
    head: written.head ?? Math.min(head, total),
    attempt: isShared ? Math.max(1, Math.floor(total / (retry.attempts + 1))) : timeouts.attempt
  }
}
