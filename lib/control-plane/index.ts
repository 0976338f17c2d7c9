import type { ProxyStats } from '../../types/control.ts'
import type { Upstream } from '../../types/model.ts'
import { unawaited } from '../model/unawaited.ts'
import { type MonitorConfig, UpstreamMonitor } from './monitor.ts'
import { statsOf } from './stats.ts'
import type { Timing } from './timing.ts'

/** The monitors of one app. */
export class ControlPlane {
  readonly #timing: Timing
  readonly #monitors = new Map<string, UpstreamMonitor>()
  #isStarted = false

  constructor (timing: Timing) {
    this.#timing = timing
  }

  watch (upstream: Upstream, config: MonitorConfig): void {
    const monitor = new UpstreamMonitor(upstream, config, this.#timing)
    this.#monitors.set(upstream.name, monitor)
    if (this.#isStarted) unawaited('the start of health checks', monitor.start())
  }

  /** It is let go: nobody else will look at it. */
  forget ({ name }: Upstream): void {
    this.#monitors.get(name)?.close()
    this.#monitors.delete(name)
  }

  /** Resolves when those whose first round is waited for are through with it. */
  async start (): Promise<void> {
    this.#isStarted = true
    await Promise.all(Array.from(this.#monitors.values(), (monitor) => monitor.start()))
  }

  stats (): ProxyStats {
    return statsOf(this.#monitors.values(), this.#timing.now())
  }

  close (): void {
    for (const monitor of this.#monitors.values()) monitor.close()
  }
}
