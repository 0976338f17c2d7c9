import type { BreakerOptions } from '../../../types/options.ts'
import type { Attempt, Endpoint, Upstream } from '../../../types/model.ts'
import type { Observer, OptionSchema, Tools, UpstreamEvent } from '../../../types/policy.ts'
import { wasClosedMeanwhile } from '../../model/stale.ts'
import { announce } from '../../observe/events.ts'

export type BreakerConfig = Required<Omit<BreakerOptions, 'counts'>> & Pick<BreakerOptions, 'counts'>

export const breakerSchema: OptionSchema = {
  kind: ['false', 'object'],
  additionalProperties: false,
  properties: {
    consecutiveFailures: { kind: ['integer'], minimum: 1, maximum: 1_000_000, default: 5 },
    halfOpenAfter: { kind: ['integer'], minimum: 1, maximum: 3_600_000, default: 5000 },
    probes: { kind: ['integer'], minimum: 1, maximum: 1000, default: 1 },
    counts: { enum: ['connect', 'all'] }
  }
}

type SetTimer = (callback: () => void, milliseconds: number) => void

function realTimer (callback: () => void, milliseconds: number): void {
  setTimeout(callback, milliseconds).unref()
}

/**
 * Spares an endpoint that fails every time, and its clients the wait for it: after so many failures in a row it is asked nothing for a
 * while, then a few requests at a time, until as many have gone well. Whatever it answers is no failure, 5xx included: that is between it
 * and the client, and the ejector's to judge where there are others. A health check that passes closes it before its time; the end of an
 * ejection, which says no more than that it can be connected to, lets the probes through.
 *
 * An attempt speaks of the state in which it began. And where an endpoint is the last that is available, failures that one request can
 * provoke are not counted: whoever knows such a request could take the upstream from everybody.
 */
export class Breaker implements Observer {
  readonly #config: BreakerConfig
  readonly #now: Tools['now']
  readonly #setTimer: SetTimer

  constructor (config: BreakerConfig, now: Tools['now'], setTimer: SetTimer = realTimer) {
    this.#config = config
    this.#now = now
    this.#setTimer = setTimer
  }

  onAttempt (attempt: Attempt): void {
    const { endpoint, upstream, error, startedAt } = attempt
    if (attempt.isProbe) {
      if (!attempt.isJudged && this.#isOfThisProbing(attempt)) this.#judgeEnd(attempt)
    } else if (startedAt >= endpoint.breakerSince) {
      if (error === null) this.#forgive(endpoint)
      else if (endpoint.breaker === 'closed' && isFailure(attempt)) this.#count(upstream, endpoint, attempt)
    }
  }

  /** A probe is judged by the head of its answer: what follows may go on for ever. */
  onProbeAnswered (attempt: Attempt): void {
    if (this.#isOfThisProbing(attempt)) this.#pass(attempt.upstream, attempt.endpoint)
  }

  onHealthCheck (upstream: Upstream, endpoint: Endpoint, hasPassed: boolean, startedAt: number): void {
    if (!hasPassed || endpoint.breaker === 'closed' || startedAt < endpoint.breakerSince) return
    this.#become(upstream, endpoint, 'closed', 'health check')
  }

  onEvent ({ name, upstream, endpoint }: UpstreamEvent): void {
    if (name === 'returned' && endpoint !== null && endpoint.breaker === 'open') this.#become(upstream, endpoint, 'half-open', 'ejection')
  }

  #isOfThisProbing ({ endpoint, startedAt }: Attempt): boolean {
    return endpoint.breaker === 'half-open' && startedAt >= endpoint.breakerSince
  }

  /** It ended before a head came. */
  #judgeEnd (attempt: Attempt): void {
    const { upstream, endpoint, error } = attempt
    if (error === null || !isFailure(attempt)) return
    if (this.#counts(upstream, endpoint) === 'all' || isConnectFailure(attempt)) this.#open(upstream, endpoint, 'probe')
    // It could be connected to, which is all that was asked.
    else if (isNewConnection(attempt)) this.#pass(upstream, endpoint)
  }

  #pass (upstream: Upstream, endpoint: Endpoint): void {
    if (++endpoint.passed >= this.#config.probes) this.#become(upstream, endpoint, 'closed', 'probes')
  }

  #forgive (endpoint: Endpoint): void {
    if (endpoint.failures !== 0) endpoint.failures = 0
    if (endpoint.refusals !== 0) endpoint.refusals = 0
  }

  #count (upstream: Upstream, endpoint: Endpoint, attempt: Attempt): void {
    const isRefusal = isConnectFailure(attempt)
    const isAll = this.#counts(upstream, endpoint) === 'all'
    if (isRefusal) endpoint.refusals++
    else if (isNewConnection(attempt)) endpoint.refusals = 0
    if (isRefusal || isAll) endpoint.failures++
    const count = isAll ? endpoint.failures : endpoint.refusals
    if (count >= this.#config.consecutiveFailures) this.#open(upstream, endpoint, 'consecutive-failures')
  }

  /** A half-open endpoint beside it does not count: it takes one request at a time, and one client may hold that. */
  #counts ({ state: { available } }: Upstream, endpoint: Endpoint): 'connect' | 'all' {
    return this.#config.counts ?? (available.some((other) => other !== endpoint && other.breaker === 'closed') ? 'all' : 'connect')
  }

  #open (upstream: Upstream, endpoint: Endpoint, reason: string): void {
    this.#become(upstream, endpoint, 'open', reason)
    const since = endpoint.breakerSince
    this.#setTimer(() => {
      // Not a timer of an opening before this one.
      if (endpoint.breaker === 'open' && endpoint.breakerSince === since) this.#become(upstream, endpoint, 'half-open', 'time')
    }, this.#config.halfOpenAfter)
  }

  #become (upstream: Upstream, endpoint: Endpoint, breaker: Endpoint['breaker'], reason: string): void {
    endpoint.breaker = breaker
    endpoint.breakerSince = this.#now()
    endpoint.failures = endpoint.refusals = endpoint.passed = endpoint.probing = 0
    upstream.refresh()
    announce(upstream, breaker === 'open' ? 'opened' : breaker, endpoint, reason)
  }
}

/** Semantics d9. A connection that was closed for being idle is nobody's failure, nor is what our own limits ended. */
function isFailure (attempt: Attempt): boolean {
  const { side, error: word } = attempt.error!
  if (side !== 'upstream' || word === 'http_response_header_section_size' || word === 'http_response_body_size') return false
  return !wasClosedMeanwhile(attempt)
}

/** No connection came about: what no request can provoke. A stream that is refused has a connection (RFC 9113 8.7). */
function isConnectFailure ({ error }: Attempt): boolean {
  return error!.phase === 'connect' && error!.error !== 'connection_terminated'
}

function isNewConnection ({ sentAt, reused }: Attempt): boolean {
  return sentAt !== 0 && !reused
}
