import type { CanaryReason } from './model.ts'
import type { RequestHead, ResponseHead } from './options.ts'

/** A request that is not made. */
export interface ImaginedRequest {
  /**
   * @default 'GET'
   */
  readonly method?: string
  /** Path and query. */
  readonly url: string
  /** Names in any case. `host` is `localhost` unless given. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  /**
   * Address of the client.
   * @default '127.0.0.1'
   */
  readonly ip?: string
  /** What hooks of the app would have put on the request: `{ user: { … } }` for `credentials` and sticky keys. */
  readonly request?: Readonly<Record<string, unknown>>
}

/** What would be done with a request, and why; nothing has been sent. */
export interface Explanation {
  readonly method: string
  readonly url: string
  /** The proxied route that takes it; null where none does. */
  readonly route: { readonly id: string, readonly url: string, readonly params: Readonly<Record<string, string | undefined>> } | null
  /** The url of a route of the app's own that takes it instead. */
  readonly elsewhere: string | null
  /** How it would be refused before any upstream is asked; hooks of the app are not run, and may refuse it all the same. */
  readonly refusal: { readonly status: number, readonly error: string, readonly reason: string } | null
  /** `stable`, or name of the canary. */
  readonly variant: string | null
  readonly variantReason: CanaryReason | null
  /** Every canary of the route, in order. */
  readonly canaries: readonly ExplainedCanary[]
  readonly upstream: string | null
  readonly endpoints: readonly ExplainedEndpoint[]
  /** As it would be sent, `Host` and path to the first available endpoint. Ids that are random are other ones each time. */
  readonly request: RequestHead | null
  /** What a plain answer (200, no headers) would have become on its way back; null where a function of the options refuses such a one. */
  readonly response: ResponseHead | null
  /** What holds for it: timeouts (null is none), limits, and whatever else the route says. */
  readonly policies: Readonly<Record<string, unknown>>
  /** What functions of the options threw: they may miss what hooks of the app provide. */
  readonly problems: readonly string[]
}

export interface ExplainedCanary {
  readonly name: string
  readonly upstream: string
  readonly weight: number
  readonly isChosen: boolean
  /** The header's or the cookie's value where it was asked for one. */
  readonly header: string | null
  readonly cookie: string | null
  /** Key that decides in the place of chance. */
  readonly stickyKey: string | null
  /** Whether its upstream has an endpoint available; without one, `onEmpty` decides. */
  readonly isAvailable: boolean
}

export interface ExplainedEndpoint {
  /** Origin, base path and path: where the request would go; on a Unix socket `unix:/run/app.sock:/path`. */
  readonly url: string
  readonly origin: string
  readonly weight: number
  /** Exchanges under way. */
  readonly active: number
  readonly health: string
  readonly breaker: string
  /** Milliseconds for which it stays ejected; 0 where it is not. */
  readonly ejectedFor: number
  readonly isAvailable: boolean
  /** Why it is not available, or null. */
  readonly reason: 'breaker' | 'ejected' | 'unhealthy' | 'others are preferred' | null
}
