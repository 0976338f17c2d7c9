import type { Balancer, Observer, PolicyDefinition, Tools } from '../../../types/policy.ts'
import type { Attempt, Endpoint } from '../../../types/model.ts'
import { WeightedDraw } from './weights.ts'

/** How long a slow answer is held against an endpoint: after this many ms a third of it is left. As in Finagle and Linkerd. */
const DECAY = 10_000
/** Milliseconds an endpoint is taken to need while it is busy with its first requests and nothing is known of it. */
const UNKNOWN_LATENCY = 1000

/** What is known of one endpoint's speed. */
class Latency {
  value = 0
  at = 0

  /** A peak counts at once and fades; a quick answer counts as much as time has passed since the last. */
  add (latency: number, now: number): void {
    if (this.at === 0 || latency > this.valueAt(now)) this.value = latency
    else this.value = latency + (this.value - latency) * Math.exp((this.at - now) / DECAY)
    this.at = now
  }

  /** Without new answers it fades too: an endpoint that nobody asks any more must get another chance. */
  valueAt (now: number): number {
    return this.value * Math.exp((this.at - now) / DECAY)
  }
}

/**
 * Draws two and takes the one that is likely to answer sooner: what it needed lately, times what it has under way. Of endpoints of
 * unlike speed this finds the quick ones; least-requests only sees that the slow ones are full.
 */
class PeakEwma implements Balancer, Observer {
  readonly #draw: WeightedDraw
  readonly #now: Tools['now']
  readonly #latencies = new WeakMap<Endpoint, Latency>()

  constructor ({ random, now }: Tools) {
    this.#draw = new WeightedDraw(random)
    this.#now = now
  }

  pick (available: readonly Endpoint[]): Endpoint {
    if (available.length === 1) return available[0]!
    const first = this.#draw.one(available)
    const a = available[first]!
    const b = available[this.#draw.another(available, first)]!
    const time = this.#now()
    return this.#cost(b, time) * a.weight < this.#cost(a, time) * b.weight ? b : a
  }

  onAttempt (attempt: Attempt): void {
    const { endpoint, error } = attempt
    const isFailed = error !== null && error.side === 'upstream'
    // What the client or the proxy ended says nothing of the endpoint.
    if (error !== null && !isFailed) return
    const took = (attempt.headAt === 0 ? attempt.endedAt : attempt.headAt) - attempt.startedAt
    let latency = this.#latencies.get(endpoint)
    if (latency === undefined) {
      latency = new Latency()
      this.#latencies.set(endpoint, latency)
    }
    // An endpoint that refuses at once must not look like a quick one.
    latency.add(isFailed ? Math.max(took, UNKNOWN_LATENCY) : took, attempt.endedAt)
  }

  #cost (endpoint: Endpoint, now: number): number {
    const latency = this.#latencies.get(endpoint)
    if (latency === undefined) return endpoint.active === 0 ? 0 : UNKNOWN_LATENCY * endpoint.active
    return latency.valueAt(now) * (endpoint.active + 1)
  }
}

export const peakEwma: PolicyDefinition<Balancer> = {
  name: 'peak-ewma',
  schema: { type: 'object', additionalProperties: false },
  create: (_options, tools) => new PeakEwma(tools)
}
