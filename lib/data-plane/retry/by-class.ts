import type { Attempt, Endpoint, Exchange, Upstream } from '../../../types/model.ts'
import type { RetryPolicy, Tools } from '../../../types/policy.ts'
import { announce } from '../../observe/events.ts'
import type { Backoff } from './backoff.ts'
import type { Budget } from './budget.ts'
import { isIdempotent } from './idempotent.ts'
import type { RetryConfig } from './index.ts'

/** Why an attempt is to be made again; also the reason that is announced when the budget refuses it. */
type Kind = 'connect' | 'stale' | 'reset' | 'timeout' | 'status'

/** A stale connection is nobody's failure: so often it is passed over on top of `attempts`, since other endpoints may have some too. */
const STALE_ALLOWANCE = 3

/**
 * Once more where that cannot do harm: after a failure before anything was sent, whatever the method; after the other classes that
 * the route names, if the request may be sent twice (RFC 9110 9.2.2) and its body can be. undici itself never does
 * (nodejs/undici#3492).
 */
export class RetryByClass implements RetryPolicy {
  /** As they were given, for whoever asks what holds. */
  readonly options: RetryConfig
  readonly statuses: ReadonlySet<number> | null
  readonly #attempts: number
  readonly #classes: ReadonlySet<Kind>
  /** null: the idempotent ones. */
  readonly #methods: ReadonlySet<string> | null
  readonly #backoff: Backoff
  readonly #budget: Budget
  readonly #tools: Tools

  constructor (options: RetryConfig, backoff: Backoff, budget: Budget, tools: Tools) {
    const { attempts, on, methods } = options
    this.options = options
    const statuses = on.filter((item) => typeof item === 'number')
    this.statuses = statuses.length === 0 ? null : new Set(statuses)
    this.#classes = new Set(on.filter((item) => typeof item === 'string'))
    this.#attempts = attempts
    this.#methods = methods === undefined ? null : new Set(methods.map((method) => method.toUpperCase()))
    this.#backoff = backoff
    this.#budget = budget
    this.#tools = tools
  }

  mayRepeat (exchange: Exchange): boolean {
    const isOnlyConnect = this.statuses === null && this.#classes.size === 1 && this.#classes.has('connect')
    return !isOnlyConnect && this.#isRepeatable(exchange)
  }

  next (attempt: Attempt, upstream: Upstream, retryAfter?: string | string[]): number | null {
    const kind = this.#kindOf(attempt)
    if (kind === null) return null
    const { exchange, number } = attempt
    if (number > this.#attempts + (kind === 'stale' ? STALE_ALLOWANCE : 0) || !exchange.isReplayable) return null

    const { load } = upstream
    const other = findOther(attempt, upstream)
    // Nothing came of it for anyone, and elsewhere nobody has been asked yet: no reason to wait, nor for the budget to mind.
    const isFree = kind === 'stale' || (kind === 'connect' && other !== null)
    const delay = isFree ? 0 : this.#backoff.delay(number, retryAfter)
    const now = this.#tools.now()
    if (now + delay >= exchange.deadline) return null
    if (!isFree && !this.#budget.take(load, other !== null && !other.isFaltering, now)) {
      announce(upstream, 'exhausted', null, kind)
      return null
    }
    return delay
  }

  earn ({ load }: Upstream): void {
    this.#budget.earn(load)
  }

  answered (attempt: Attempt): void {
    if (attempt.number === 1 || (this.statuses !== null && this.statuses.has(attempt.statusCode))) return
    this.#budget.giveBack(attempt.upstream.load)
  }

  #kindOf (attempt: Attempt): Kind | null {
    const { error, exchange } = attempt
    const kind = error === null ? 'status' : classOf(attempt)
    if (kind === null) return null
    if (kind === 'connect') return this.#classes.has('connect') ? kind : null
    if (kind === 'status') return this.statuses !== null && this.statuses.has(attempt.statusCode) && this.#isRepeatable(exchange) ? kind : null
    if (!this.#isRepeatable(exchange)) return null
    if (kind === 'stale') return this.#classes.has('stale') ? kind : this.#classes.has('reset') ? 'reset' : null
    return this.#classes.has(kind) ? kind : null
  }

  /** By the method and the header that are sent upstream: a transform may have had its say. */
  #isRepeatable (exchange: Exchange): boolean {
    const isListed = this.#methods === null ? isIdempotent(exchange.method) : this.#methods.has(exchange.method)
    return isListed || exchange.hasIdempotencyKey
  }
}

function classOf (attempt: Attempt): Kind | null {
  const error = attempt.error!
  if (error.side !== 'upstream') return null
  // The attempt's own timeout too, when it ran out before there was a connection: nothing was sent.
  if (error.phase === 'connect') return !error.sent || (error.error === 'http_response_timeout' && attempt.sentAt === 0) ? 'connect' : null
  switch (error.error) {
    case 'connection_terminated':
      // It had worked before, and closed without a word of this answer: closed for being idle, most likely.
      return attempt.reused && attempt.headAt === 0 ? 'stale' : 'reset'
    case 'http_protocol_error':
    case 'http_response_incomplete':
      return 'reset'
    case 'http_response_timeout':
      return 'timeout'
    default:
      return null
  }
}

/** An endpoint that this exchange has not tried: one that is well, if there is one. */
function findOther (attempt: Attempt, { state }: Upstream): Endpoint | null {
  const { tried } = attempt.exchange
  let other: Endpoint | null = null
  for (const endpoint of state.available) {
    if (endpoint === attempt.endpoint || (tried !== null && tried.includes(endpoint))) continue
    if (!endpoint.isFaltering) return endpoint
    other = endpoint
  }
  return other
}
