import type { Balancer, Observer, PolicyDefinition, Tools } from '../../../types/policy.ts'
import type { Attempt, Endpoint } from '../../../types/model.ts'
import { WeightedDraw } from './weights.ts'

/** How long a slow answer is held against an endpoint: after this many ms a third of it is left. As in Finagle and Linkerd. */
const DECAY = 10_000
/** Milliseconds an endpoint is taken to need while it is busy with its first requests and nothing is known of it. */
const UNKNOWN_LATENCY = 1000
/**
 * Milliseconds an attempt that failed counts as, in its share of the attempts: an endpoint that fails at once must not look like a quick
 * one.
 */
const FAILURE = 1000
/**
 * The least that one attempt counts in that share. An endpoint that begins to fail at once is out after a handful of requests; a page that
 * fails wherever it is asked for, one in five hundred, leaves the others as different as they are. (Counted as peaks, failures of that one
 * page made the mean of endpoints of 10 and 50 ms, four requests at a time, 20 ms in place of 10.)
 */
const FAILURE_WEIGHT = 1 / 32
/**
 * Latencies that differ by less than this many ms, or by less than this factor, are equal: it is a garbage collection, or a connection that
 * was made, and no reason to pass over the weights.
 */
const NOISE = 10
const NOISE_FACTOR = 1.5

/** What is known of one endpoint's speed. */
class Latency {
  #value = 0
  /** Share of the attempts that failed. */
  #failures = 0
  #at = 0
  #isBehindConnect = false

  get isKnown (): boolean {
    return this.#at !== 0
  }

  /**
   * An answer behind the making of its connection is passed over: that, and code that runs for the first time, takes longer than any answer
   * after it, and one of two idle endpoints would be held for the slower one for seconds. Where no connection is kept, the next one counts.
   * @returns whether the answer is to be passed over
   */
  passesOver (isBehindConnect: boolean): boolean {
    const wasBehindConnect = this.#isBehindConnect
    this.#isBehindConnect = isBehindConnect
    return isBehindConnect && !wasBehindConnect
  }

  /** A peak counts at once and fades; a quick answer counts as much as time has passed since the last. */
  add (latency: number, isFailed: boolean, now: number): void {
    const isFirst = this.#at === 0
    const left = isFirst ? 0 : Math.exp((this.#at - now) / DECAY)
    const faded = this.#value * left
    if (latency > faded) this.#value = latency
    // A quick failure says nothing of how soon it answers.
    else this.#value = isFailed ? faded : latency + (this.#value - latency) * left
    this.#failures += ((isFailed ? 1 : 0) - this.#failures) * Math.max(FAILURE_WEIGHT, 1 - left)
    this.#at = now
  }

  /**
   * Milliseconds until it has answered, those times included in which it fails. Without new answers it fades too: an endpoint that nobody
   * asks any more must get another chance.
   */
  at (now: number): number {
    const left = Math.exp((this.#at - now) / DECAY)
    const failures = this.#failures * left
    return (this.#value * left + FAILURE * failures) / Math.max(FAILURE_WEIGHT, 1 - failures)
  }
}

/**
 * Draws two and takes the one that is likely to answer sooner: what it needed lately, times what it has under way for its weight. Of
 * endpoints of unlike speed this finds the quick ones; least-requests only sees that the slow ones are full. Of endpoints of like speed it
 * takes the less busy, as power-of-two does, and so keeps to their weights.
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
    const now = this.#now()
    const ofA = this.#latencies.get(a)
    const ofB = this.#latencies.get(b)
    const isKnownA = ofA !== undefined && ofA.isKnown
    const isKnownB = ofB !== undefined && ofB.isKnown
    const latencyOfA = isKnownA ? ofA.at(now) : unknown(a)
    const latencyOfB = isKnownB ? ofB.at(now) : unknown(b)
    if (isKnownA && isKnownB && isNoise(latencyOfA, latencyOfB)) return this.#draw.lessBusy(a, b)
    const mean = (a.weight + b.weight) / 2
    return latencyOfB * (1 + b.active * mean / b.weight) < latencyOfA * (1 + a.active * mean / a.weight) ? b : a
  }

  onAttempt (attempt: Attempt): void {
    const { endpoint, error } = attempt
    // What the client or the proxy ended says nothing of the endpoint.
    if (error !== null && error.side !== 'upstream') return
    let latency = this.#latencies.get(endpoint)
    if (latency === undefined) {
      latency = new Latency()
      this.#latencies.set(endpoint, latency)
    }
    const took = (attempt.headAt === 0 ? attempt.endedAt : attempt.headAt) - attempt.startedAt
    const isFailed = error !== null || isFailure(attempt.statusCode)
    if (latency.passesOver(attempt.connectTime > 0) && !isFailed) return
    latency.add(took, isFailed, attempt.endedAt)
  }
}

/** Idle, it is tried at once. */
function unknown ({ active }: Endpoint): number {
  return active === 0 ? 0 : UNKNOWN_LATENCY
}

function isNoise (a: number, b: number): boolean {
  return Math.abs(a - b) < NOISE || (a < b * NOISE_FACTOR && b < a * NOISE_FACTOR)
}

/**
 * True of answers by which an endpoint has not done what it was asked. A 404, and any other answer below 500, is what a healthy endpoint
 * gives, and as quick as it is: where half of the answers are 404, leaving them out would be to know half as much. One that wrongly answers
 * 404 to everything is for health checks to find. 429 is the endpoint's own "not now".
 */
function isFailure (statusCode: number): boolean {
  return statusCode >= 500 || statusCode === 429
}

export const peakEwma: PolicyDefinition<Balancer> = {
  name: 'peak-ewma',
  schema: { type: 'object', additionalProperties: false },
  create: (_options, tools) => new PeakEwma(tools)
}
