import type { Endpoint, Upstream } from '../../../types/model.ts'
import { readOrigin } from '../../model/origin.ts'
import { coarse, fine, finest } from './catalog.ts'
import { Histogram } from './histogram.ts'
import { Tally } from './tally.ts'
import { breakerStates, canaryReasons, closeReasons, codeClasses } from './words.ts'

/*
 * What is counted, by what it belongs to: one object for each route, each variant of it, each upstream and each endpoint, made when
 * the configuration is built. Recording finds them by reference.
 */

/** Different keys that one series may come to have. Routes see a handful; an upstream that makes up statuses ends here. */
const KEYS = 512

function byClass (): readonly Histogram[] {
  return codeClasses.list.map(() => new Histogram(coarse))
}

export class RouteSeries {
  readonly route: string
  readonly overhead: Histogram = new Histogram(finest)
  rateLimited = 0
  /** By canary, then by `canaryReasons`: also of exchanges that a retry has led to another upstream. */
  readonly reasons: Map<string, Float64Array> = new Map()

  constructor (route: string) {
    this.route = route
  }
}

/** Of a route with one upstream: several variants may share it. */
export class BytesSeries {
  readonly route: string
  readonly upstream: string
  /** From clients, from upstreams. */
  readonly bytes: Float64Array = new Float64Array(2)

  constructor (route: string, upstream: string) {
    this.route = route
    this.upstream = upstream
  }
}

export class VariantSeries {
  readonly route: RouteSeries
  readonly upstream: UpstreamSeries
  readonly variant: string
  readonly bytes: BytesSeries
  /** In microseconds. */
  readonly slowAfter: number
  /** By method, error and status; see `requestKey`. */
  readonly requests: Tally = new Tally(KEYS)
  readonly durations: readonly Histogram[] = byClass()
  slow = 0
  readonly reasons: Float64Array

  constructor (route: RouteSeries, upstream: UpstreamSeries, variant: string, bytes: BytesSeries, slowAfter: number) {
    this.route = route
    this.upstream = upstream
    this.variant = variant
    this.bytes = bytes
    this.slowAfter = slowAfter
    this.reasons = route.reasons.get(variant) ?? new Float64Array(canaryReasons.list.length)
    if (variant !== 'stable') route.reasons.set(variant, this.reasons)
  }
}

export class UpstreamSeries {
  /** The one in force. */
  upstream: Upstream
  /** By `codeClasses`. */
  readonly durations: readonly Histogram[] = byClass()
  readonly header: Histogram = new Histogram(fine)
  readonly connect: Histogram = new Histogram(fine)
  readonly queue: Histogram = new Histogram(fine)
  /** By reason and result; see `retryKey`. */
  readonly retries: Tally = new Tally(KEYS)
  readonly closed: Float64Array = new Float64Array(closeReasons.list.length)
  /** By `errors`. */
  readonly connectFailures: Tally = new Tally(KEYS)
  tlsReused = 0
  /** By state entered. */
  readonly transitions: Float64Array = new Float64Array(breakerStates.list.length)
  /** By reasons of ours. */
  readonly ejections: Map<string, number> = new Map()
  readonly endpoints: Map<string, EndpointSeries> = new Map()
  readonly recent: Recent

  constructor (upstream: Upstream) {
    this.upstream = upstream
    this.recent = new Recent(this)
  }

  get name (): string {
    return this.upstream.label
  }
}

export class EndpointSeries {
  readonly upstream: UpstreamSeries
  readonly endpoint: string
  /** Host and port apart, as OpenTelemetry wants them; see `addressOf`. */
  readonly address: string
  readonly port: number | null
  /** By class and error; see `attemptKey`. */
  readonly attempts: Tally = new Tally(KEYS)
  /** Passed, failed. */
  readonly checks: Float64Array = new Float64Array(2)
  /** Histograms of attempts by method, error and status, for OpenTelemetry alone; null until a producer wants them. */
  clientDurations: Map<number, Histogram> | null = null

  constructor (upstream: UpstreamSeries, name: string, endpoint: Endpoint) {
    this.upstream = upstream
    this.endpoint = name
    const { address, port } = addressOf(endpoint)
    this.address = address
    this.port = port
  }
}

/** A Unix socket is its path, and has no port (OpenTelemetry, server.address); a label that says nothing of an address is all there is. */
export function addressOf ({ origin, label }: Pick<Endpoint, 'origin' | 'label'>): { address: string, port: number | null } {
  if (!label.startsWith(origin)) return { address: label, port: null }
  const { hostname, port, socketPath } = readOrigin(origin)
  return { address: socketPath ?? hostname, port }
}

/** ms that what is recent begins ago, at least. */
const RECENT = 30_000

/** What has been recorded lately, without anything recorded for it: the difference to what stood there when somebody last read it. */
class Recent {
  readonly #series: UpstreamSeries
  #queued = 0
  #queueSum = 0
  #answers: Float64Array
  /** The same, to be the base once it is old enough. */
  #next: { at: number, queued: number, queueSum: number, answers: Float64Array } | null = null

  constructor (series: UpstreamSeries) {
    this.#series = series
    this.#answers = new Float64Array(series.header.counts.length)
  }

  /** Mean wait in seconds, and how many answers were how fast. */
  read (now: number): { wait: number, counts: Float64Array } {
    const { queue, header } = this.#series
    const { count, sum } = queue
    const next = this.#next
    if (next === null || now - next.at >= RECENT) {
      if (next !== null) {
        this.#queued = next.queued
        this.#queueSum = next.queueSum
        this.#answers = next.answers
      }
      this.#next = { at: now, queued: count, queueSum: sum, answers: header.counts.slice() }
    }
    const waits = count - this.#queued
    return { wait: waits === 0 ? 0 : (sum - this.#queueSum) / waits, counts: header.counts.map((value, index) => value - this.#answers[index]!) }
  }
}
