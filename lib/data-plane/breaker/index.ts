import type { BreakerOptions } from '../../../types/options.ts'
import type { Attempt, Endpoint, Upstream } from '../../../types/model.ts'
import type { Observer, OptionSchema, UpstreamEvent } from '../../../types/policy.ts'
import { announce } from '../../observe/events.ts'

export type BreakerConfig = Required<BreakerOptions>

export const breakerSchema: OptionSchema = {
  kind: ['false', 'object'],
  additionalProperties: false,
  properties: {
    consecutiveFailures: { kind: ['integer'], minimum: 1, maximum: 1_000_000, default: 5 },
    halfOpenAfter: { kind: ['integer'], minimum: 1, maximum: 3_600_000, default: 5000 },
    probes: { kind: ['integer'], minimum: 1, maximum: 1000, default: 1 }
  }
}

type SetTimer = (callback: () => void, milliseconds: number) => void

function realTimer (callback: () => void, milliseconds: number): void {
  setTimeout(callback, milliseconds).unref()
}

/**
 * Spares an endpoint that fails every time, and its clients the wait for it: after so many failures in a row it is asked nothing for a
 * while, then a few requests at a time, until as many have gone well. Whatever it answers is no failure, 5xx included: that is between it
 * and the client, and the ejector's to judge where there are others. Who knows better that it is well again does not wait for the time to pass:
 * health checks close it, and the end of an ejection, which says no more than that it can be connected to, lets the probes through.
 */
export class Breaker implements Observer {
  readonly #config: BreakerConfig
  readonly #setTimer: SetTimer
  /** Those that are open, each with a mark of that one time, so that a timer of the time before does not end it early. */
  readonly #openings = new Map<Endpoint, object>()

  constructor (config: BreakerConfig, setTimer: SetTimer = realTimer) {
    this.#config = config
    this.#setTimer = setTimer
  }

  onAttempt (attempt: Attempt): void {
    const { endpoint, upstream, error } = attempt
    if (error === null) {
      if (endpoint.failures !== 0) this.#succeeded(upstream, endpoint)
    } else if (isFailure(attempt)) {
      endpoint.failures++
      if (endpoint.breaker === 'half-open' || (endpoint.breaker === 'closed' && endpoint.failures >= this.#config.consecutiveFailures)) this.#open(upstream, endpoint)
    }
  }

  onEvent ({ name, upstream, endpoint }: UpstreamEvent): void {
    if (endpoint === null || endpoint.breaker === 'closed') return
    if (name === 'healthy') {
      endpoint.failures = 0
      this.#become(upstream, endpoint, 'closed', 'health check')
    } else if (name === 'returned' && endpoint.breaker === 'open') {
      this.#halfOpen(upstream, endpoint, 'ejection')
    }
  }

  #succeeded (upstream: Upstream, endpoint: Endpoint): void {
    if (endpoint.breaker === 'closed') {
      endpoint.failures = 0
      return
    }
    // One from before it opened says nothing about what is now.
    if (endpoint.breaker === 'open') return
    // Below zero it counts the probes that are still to succeed.
    if (++endpoint.failures < 0) return
    endpoint.failures = 0
    this.#become(upstream, endpoint, 'closed', 'probes')
  }

  #open (upstream: Upstream, endpoint: Endpoint): void {
    const reason = endpoint.breaker === 'half-open' ? 'probe' : 'consecutive-failures'
    this.#become(upstream, endpoint, 'open', reason)
    const opening = {}
    this.#openings.set(endpoint, opening)
    this.#setTimer(() => {
      if (this.#openings.get(endpoint) === opening) this.#halfOpen(upstream, endpoint, 'time')
    }, this.#config.halfOpenAfter)
  }

  #halfOpen (upstream: Upstream, endpoint: Endpoint, reason: string): void {
    endpoint.failures = -this.#config.probes
    this.#become(upstream, endpoint, 'half-open', reason)
  }

  #become (upstream: Upstream, endpoint: Endpoint, breaker: Endpoint['breaker'], reason: string): void {
    endpoint.breaker = breaker
    if (breaker !== 'open') this.#openings.delete(endpoint)
    upstream.refresh()
    announce(upstream, breaker === 'open' ? 'opened' : breaker, endpoint, reason)
  }
}

/** Semantics d9. A connection that had been idle for too long is nobody's failure, nor is what our own limits ended. */
function isFailure ({ error, reused, headAt }: Attempt): boolean {
  const { side, error: word } = error!
  if (side !== 'upstream' || word === 'http_response_header_section_size' || word === 'http_response_body_size') return false
  return !(word === 'connection_terminated' && reused && headAt === 0)
}
