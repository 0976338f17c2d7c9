import type { Attempt, Endpoint, EndpointPool, Probe, ProbeAnswer, Upstream } from '../../../types/model.ts'
import type { UpstreamEvent } from '../../../types/policy.ts'
import type { HealthConfig } from '../../../lib/control-plane/health/index.ts'
import { type MonitorConfig, UpstreamMonitor } from '../../../lib/control-plane/monitor.ts'
import type { OutlierConfig } from '../../../lib/control-plane/outlier/index.ts'
import { proxyError } from '../../../lib/errors.ts'
import { clock, type Clock } from '../../helpers/clock.ts'
import { attemptOf, endpointAt, exchangeWith, upstreamOf } from '../samples.ts'

/** A pool that connects and answers as the test says. */
export class FakePool {
  connections = { busy: 0, idle: 0, warm: 0, opening: 0 }
  isUp = true
  prewarmed: number[] = []
  probes: Probe[] = []
  answer: () => ProbeAnswer | Error = () => ({ statusCode: 200, latency: 1 })

  async prewarm (count: number): Promise<boolean> {
    this.prewarmed.push(count)
    return this.isUp
  }

  async probe (probe: Probe): Promise<ProbeAnswer> {
    this.probes.push(probe)
    const answer = this.isUp ? this.answer() : Object.assign(new Error(), { code: 'ECONNREFUSED' })
    if (answer instanceof Error) throw answer
    return answer
  }
}

export const outlier: OutlierConfig = { consecutiveFailures: 3, failureRate: 0.5, minimumRequests: 10, window: 60_000, baseEjection: 1000, maxEjection: 3000, maxEjectedShare: 0.5 }
export const health: HealthConfig = { path: '/up', method: 'GET', interval: 1000, timeout: 500, rise: 2, fall: 3, headers: {}, waitForHealthy: 0 }

export interface Rig {
  time: Clock
  upstream: Upstream
  endpoints: Endpoint[]
  pools: FakePool[]
  events: string[]
  monitor: UpstreamMonitor
  /** Attempts on an endpoint: a status, or the name of an error and its phase. */
  attempt: (index: number, outcome: number | [string, Attempt['error'] extends infer E ? E extends { phase: infer P } ? P : never : never], fields?: Partial<Attempt>) => void
  /** Hosts that may be picked now. */
  available: () => string
  /** Lets this much time pass, with what is awaited meanwhile. */
  pass: (ms: number) => Promise<void>
}

/** A monitor of `count` endpoints a, b, c, …, in a time of its own. */
export function rig (count: number, config: Partial<MonitorConfig> = {}, priorities: number[] = []): Rig {
  const time = clock(1000)
  const pools = Array.from({ length: count }, () => new FakePool())
  const endpoints = pools.map((pool, index) => {
    const endpoint = endpointAt(`http://${'abcdefghij'[index]}`, { priority: priorities[index] ?? 0 })
    Object.assign(endpoint, { pool: pool as unknown as EndpointPool })
    return endpoint
  })
  const upstream = upstreamOf('orders', endpoints)
  const events: string[] = []
  upstream.state = { ...upstream.state, observers: [{ onEvent: ({ name, endpoint, reason }: UpstreamEvent) => { events.push(`${name} ${endpoint!.host} ${reason}`) } }] }
  const monitor = new UpstreamMonitor(upstream, { health: false, outlier, slowStart: 0, pool: { warm: 0 }, ...config }, { now: time.now, random: () => 0, setTimer: time.setTimer })
  const exchange = exchangeWith()
  return {
    time,
    upstream,
    endpoints,
    pools,
    events,
    monitor,
    attempt (index, outcome, fields = {}) {
      const error = typeof outcome === 'number' ? null : proxyError(outcome[0] as 'connection_refused', outcome[1])
      const attempt = attemptOf(exchange, { endpoint: endpoints[index]!, statusCode: typeof outcome === 'number' ? outcome : 0, error, startedAt: time.now(), ...fields })
      for (const observer of upstream.state.observers) observer.onAttempt?.(attempt)
    },
    available: () => upstream.state.available.map(({ host }) => host).join(''),
    async pass (ms) {
      // In steps: what is awaited goes on between two of them.
      for (let passed = 0; passed < ms; passed += 10) {
        time.advance(Math.min(10, ms - passed))
        for (let turn = 0; turn < 8; turn++) await null
      }
    }
  }
}
