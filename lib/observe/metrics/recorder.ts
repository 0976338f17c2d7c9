import type { Attempt, Canary, Endpoint, Exchange, Route, Snapshot, Upstream } from '../../../types/model.ts'
import type { ConnectionObserver, Observer, UpstreamEvent } from '../../../types/policy.ts'
import type { ProxyExchange } from '../../model/exchange.ts'
import { coarse } from './catalog.ts'
import { elapsed, Histogram } from './histogram.ts'
import { pairKey, requestKey } from './keys.ts'
import { BytesSeries, EndpointSeries, RouteSeries, UpstreamSeries, VariantSeries } from './series.ts'
import { breakerStates, canaryReasons, classOf, codeClasses, errors, methods, OTHER, results, retryReasons } from './words.ts'
import { ConnectionSeries } from './connection-series.ts'

/** Groups of series at most. A configuration that has more shares the last ones: memory and scrapes have a bound. */
const LIMIT = 20_000
/** Reasons of ejections; ours are a handful. */
const REASONS = 32
/** Histograms of one endpoint for OpenTelemetry. */
const CLIENT_HISTOGRAMS = 64

/**
 * Counts what happens. Every series is made when the configuration is built; recording finds it by the identity of route, canary or
 * endpoint, makes no string and allocates nothing (test/lib/observe/metrics/recorder-garbage.test.ts).
 */
export class Recorder implements Observer {
  readonly routes: Map<string, RouteSeries> = new Map()
  readonly variants: Map<string, VariantSeries> = new Map()
  readonly bytes: Map<string, BytesSeries> = new Map()
  readonly upstreams: Map<string, UpstreamSeries> = new Map()
  snapshot: Snapshot | null = null
  /** When the snapshot was put in force, in Unix seconds. */
  builtAt = 0
  /** Whether an OpenTelemetry producer reads along; its histogram has labels that ours do not. */
  hasProducer = false
  /** Its version. */
  readonly undici: string
  readonly #byEndpoint = new WeakMap<Endpoint, EndpointSeries>()
  readonly #byRule = new WeakMap<Route | Canary, VariantSeries>()
  #endpoints = 0

  constructor (undici: string) {
    this.undici = undici
  }

  /** Makes the series of everything configured, so that each is there, at zero, before it counts. */
  prepare (snapshot: Snapshot, builtAt: number): void {
    this.snapshot = snapshot
    this.builtAt = builtAt
    for (const route of snapshot.routes.values()) {
      this.#addVariant(route, null)
      for (const canary of route.canaries ?? []) this.#addVariant(route, canary)
    }
  }

  onUpstream (upstream: Upstream): ConnectionObserver {
    const series = this.#upstreamOf(upstream)
    series.upstream = upstream
    for (const endpoint of upstream.state.endpoints) this.#addEndpoint(endpoint, series)
    return new ConnectionSeries(series)
  }

  onAttempt (attempt: Attempt): void {
    const { endpoint, statusCode, error } = attempt
    const series = this.#byEndpoint.get(endpoint) ?? this.#addEndpoint(endpoint, this.#upstreamOf(attempt.exchange.upstream))
    const { upstream } = series
    const failure = error === null ? 0 : errors.indexOf(error.error)
    const codeClass = classOf(statusCode)
    series.attempts.add(pairKey(codeClass, failure))
    const taken = elapsed(attempt.startedAt, attempt.endedAt)
    upstream.durations[codeClass]!.observe(taken)
    if (attempt.sentAt !== 0) {
      if (attempt.headAt !== 0) upstream.header.observe(elapsed(attempt.writtenAt === 0 ? attempt.sentAt : attempt.writtenAt, attempt.headAt))
      // For one of the connections; and, once, in the upstream's own queue. A connection that was made is in `connect`.
      const queued = attempt.previous === null ? attempt.exchange.queueTime : 0
      upstream.queue.observe(elapsed(attempt.startedAt + attempt.connectTime, attempt.sentAt + queued))
    }
    if (attempt.previous !== null) upstream.retries.add(pairKey(reasonOf(attempt.previous), error === null && statusCode < 500 ? 0 : 1))
    if (this.hasProducer) this.#observeClient(series, attempt, failure, taken)
  }

  onExchange (exchange: Exchange): void {
    const { canary, route, isEventStream } = exchange as ProxyExchange
    let series = this.#byRule.get(canary ?? route) ?? this.#addVariant(route, canary)
    // A retry that left the canary for the stable side.
    if (series.upstream.name !== exchange.upstream.label) series = this.#variantOf(route, exchange.upstream, exchange.variant)
    const { error, last } = exchange
    const code = exchange.isAborted ? 499 : exchange.reply.statusCode
    const failure = error === null ? 0 : errors.indexOf(error.error)
    series.requests.add(requestKey(methods.indexOf(exchange.request.method), failure, code))
    const total = elapsed(exchange.startedAt, exchange.endedAt)
    series.durations[classOf(code)]!.observe(total)
    if (total > series.slowAfter && !isEventStream && code !== 101) series.slow++
    if (canary !== null) series.reasons[canaryReasons.indexOf(exchange.variantReason ?? '')]!++
    const { bytes } = series.bytes
    if (exchange.bytesIn !== 0) bytes[0]! += exchange.bytesIn
    if (exchange.bytesOut !== 0) bytes[1]! += exchange.bytesOut
    if (last === null) {
      series.route.overhead.observe(elapsed(exchange.startedAt + exchange.queueTime, exchange.endedAt))
      // It waited, and gave up.
      if (exchange.queueTime !== 0) series.upstream.queue.observe(elapsed(0, exchange.queueTime))
    } else {
      series.route.overhead.observe(elapsed(exchange.startedAt + exchange.queueTime, exchange.attemptedAt) + elapsed(last.endedAt, exchange.endedAt))
    }
    if (error !== null && error.error === 'rate_limited') series.route.rateLimited++
  }

  onEvent ({ name, upstream, reason }: UpstreamEvent): void {
    const series = this.#upstreamOf(upstream)
    if (name === 'ejected') {
      const known = series.ejections.has(reason) || series.ejections.size < REASONS ? reason : OTHER
      series.ejections.set(known, (series.ejections.get(known) ?? 0) + 1)
    } else if (name === 'exhausted') series.retries.add(pairKey(retryReasons.indexOf(reason), results.indexOf('budget_exhausted')))
    else if (name === 'opened') series.transitions[breakerStates.indexOf('open')]!++
    else if (name === 'half-open' || name === 'closed') series.transitions[breakerStates.indexOf(name)]!++
  }

  onHealthCheck (upstream: Upstream, endpoint: Endpoint, hasPassed: boolean): void {
    const series = this.#byEndpoint.get(endpoint) ?? this.#addEndpoint(endpoint, this.#upstreamOf(upstream))
    series.checks[hasPassed ? 0 : 1]!++
  }

  #observeClient (series: EndpointSeries, { exchange, statusCode }: Attempt, failure: number, taken: number): void {
    series.clientDurations ??= new Map()
    let key = requestKey(methods.indexOf(exchange.method), failure, statusCode)
    let histogram = series.clientDurations.get(key)
    if (histogram === undefined) {
      if (series.clientDurations.size >= CLIENT_HISTOGRAMS) key = requestKey(methods.list.length - 1, errors.list.length - 1, 0)
      histogram = series.clientDurations.get(key) ?? new Histogram(coarse)
      series.clientDurations.set(key, histogram)
    }
    histogram.observe(taken)
  }

  // What follows runs when something is met for the first time: from `prepare`, and for the routes that `reply.proxy` makes.

  #upstreamOf (upstream: Upstream): UpstreamSeries {
    let series = this.upstreams.get(upstream.label)
    if (series === undefined) {
      series = new UpstreamSeries(upstream)
      this.upstreams.set(upstream.label, series)
    }
    return series
  }

  #addEndpoint (endpoint: Endpoint, upstream: UpstreamSeries): EndpointSeries {
    const own = endpoint.label
    const name = upstream.endpoints.has(own) || this.#endpoints < LIMIT ? own : OTHER
    let series = upstream.endpoints.get(name)
    if (series === undefined) {
      series = new EndpointSeries(upstream, name, endpoint)
      this.#endpoints++
      upstream.endpoints.set(name, series)
    }
    this.#byEndpoint.set(endpoint, series)
    return series
  }

  #addVariant (route: Route, canary: Canary | null): VariantSeries {
    const series = this.#variantOf(route, (canary ?? route).upstream, canary === null ? 'stable' : canary.name)
    this.#byRule.set(canary ?? route, series)
    return series
  }

  #variantOf (route: Route, upstream: Upstream, variant: string): VariantSeries {
    // Routes of `reply.proxy` that differ in their options share an id, and so a series.
    const id = this.routes.has(route.id) || this.routes.size < LIMIT ? route.id : OTHER
    const key = JSON.stringify([id, upstream.label, variant])
    let series = this.variants.get(key)
    if (series === undefined) {
      const upstreamSeries = this.#upstreamOf(upstream)
      series = new VariantSeries(this.#routeOf(id), upstreamSeries, variant, this.#bytesOf(id, upstream.label), elapsed(0, route.slow))
      this.variants.set(key, series)
    }
    return series
  }

  #routeOf (id: string): RouteSeries {
    let series = this.routes.get(id)
    if (series === undefined) {
      series = new RouteSeries(id)
      this.routes.set(id, series)
    }
    return series
  }

  #bytesOf (route: string, upstream: string): BytesSeries {
    const key = JSON.stringify([route, upstream])
    let series = this.bytes.get(key)
    if (series === undefined) {
      series = new BytesSeries(route, upstream)
      this.bytes.set(key, series)
    }
    return series
  }
}

/** What a retry was for: the word of the failure before it, or the class of a status that the policy did not take. */
function reasonOf ({ error, statusCode }: Attempt): number {
  return retryReasons.indexOf(error === null ? codeClasses.list[classOf(statusCode)]! : error.error)
}
