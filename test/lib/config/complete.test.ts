import assert from 'node:assert/strict'
import { test } from 'node:test'
import { completeHealth, completeOutlier, completePool, completeRetry, completeTimeouts } from '../../../lib/config/complete.ts'
import type { HealthConfig } from '../../../lib/control-plane/health/index.ts'
import type { OutlierConfig } from '../../../lib/control-plane/outlier/index.ts'
import type { RetryConfig } from '../../../lib/data-plane/retry/index.ts'

test('there are as many connections as are to be kept warm, unless somebody said how many', () => {
  const connections = (written: { connections?: number, warm?: number }): number => completePool({ connections: 128, warm: 0, ...written }, written).connections
  assert.deepEqual([connections({}), connections({ warm: 200 }), connections({ connections: 5 }), connections({ connections: 5, warm: 9 })], [128, 200, 5, 5])
})

test('a check has five seconds, or the interval where that is shorter, or the latency that is allowed where that is longer', () => {
  const timeout = (written: Partial<HealthConfig>): number => (completeHealth({ interval: 10_000, headers: {}, ...written } as HealthConfig) as HealthConfig).timeout
  assert.deepEqual(
    [timeout({}), timeout({ interval: 100 }), timeout({ maxLatency: 100 }), timeout({ maxLatency: 8000 }), timeout({ interval: 100, maxLatency: 200 }), timeout({ timeout: 7 })],
    [5000, 100, 5000, 8000, 200, 7]
  )
  assert.deepEqual((completeHealth({ interval: 1, headers: { 'X-A': '1' } } as unknown as HealthConfig) as HealthConfig).headers, { 'x-a': '1' })
  assert.equal(completeHealth(false), false)
})

test('the longest ejection is five minutes, or the first one where that is longer; the first is no longer than the longest', () => {
  const ejections = (written: { baseEjection?: number, maxEjection?: number }): number[] => {
    const { baseEjection, maxEjection } = completeOutlier({ baseEjection: 30_000, ...written } as OutlierConfig, written) as OutlierConfig
    return [baseEjection, maxEjection]
  }
  assert.deepEqual(ejections({}), [30_000, 300_000])
  assert.deepEqual(ejections({ baseEjection: 400_000 }), [400_000, 400_000])
  assert.deepEqual(ejections({ maxEjection: 60_000 }), [30_000, 60_000])
  assert.deepEqual(ejections({ maxEjection: 1000 }), [1000, 1000])
  assert.deepEqual(ejections({ baseEjection: 2000, maxEjection: 1000 }), [2000, 1000])
  assert.equal(completeOutlier(false), false)
})

test('of the two bounds of a backoff, that which nobody wrote gives way', () => {
  const backoff = (written: { base?: number, max?: number }): object => {
    const full = { backoff: { base: 25, max: 250, ...written } } as RetryConfig
    return (completeRetry(full, { backoff: written }) as RetryConfig).backoff
  }
  assert.deepEqual(backoff({}), { base: 25, max: 250 })
  assert.deepEqual(backoff({ base: 1000 }), { base: 1000, max: 1000 })
  assert.deepEqual(backoff({ max: 10 }), { base: 10, max: 10 })
  assert.deepEqual(backoff({ base: 3, max: 2 }), { base: 3, max: 2 })
  assert.equal(completeRetry(false), false)
})

const timeouts = { head: 30_000, idle: 60_000, total: 0, attempt: 0, write: 60_000 }
const onTimeout = (attempts: number): RetryConfig => ({ attempts, on: ['connect', 'timeout'] }) as unknown as RetryConfig

test('the head may take all of a total that is written, and no attempt is cut short that nobody wants tried again', () => {
  assert.deepEqual(completeTimeouts(timeouts, {}, false), timeouts)
  assert.deepEqual(completeTimeouts({ ...timeouts, total: 5000 }, { total: 5000 }, false), { ...timeouts, total: 5000, head: 5000 })
  assert.deepEqual(completeTimeouts({ ...timeouts, total: 5000, head: 7 }, { total: 5000, head: 7 }, onTimeout(1)), { ...timeouts, total: 5000, head: 7 })
  assert.deepEqual(completeTimeouts({ ...timeouts, total: 50_000 }, { total: 50_000 }, false), { ...timeouts, total: 50_000 })
  assert.equal(completeTimeouts({ ...timeouts, total: 5000 }, { total: 5000 }, onTimeout(0)).attempt, 0)
})

test('attempts that are tried again after a timeout share the total', () => {
  assert.equal(completeTimeouts({ ...timeouts, total: 5000 }, { total: 5000 }, onTimeout(1)).attempt, 2500)
  assert.equal(completeTimeouts({ ...timeouts, total: 5000, attempt: 300 }, { total: 5000, attempt: 300 }, onTimeout(1)).attempt, 300)
  assert.equal(completeTimeouts({ ...timeouts, total: 2 }, { total: 2 }, onTimeout(20)).attempt, 1)
  assert.equal(completeTimeouts(timeouts, {}, onTimeout(1)).attempt, 0)
})
