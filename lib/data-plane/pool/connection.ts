/** What carries a request, as the attempt sees it: a connection of HTTP/1, or a stream in one of HTTP/2. */
export interface Connection {
  /** Requests that its connection has been given. */
  carried: number
  /** What the connection failed with; null while it is well, and after an orderly end. */
  readonly failure: Error | null
  /** How long somebody who has waited since then waited for the connection to be made, rather than for its turn on it. */
  connectTimeSince (then: number): number
  /** Gives the request up. */
  cut (): void
  /** Closes all connections of the pool that carry nothing: where one was stale, those beside it are no better. */
  cutIdle (): void
}

/** Told which connection carries it. */
export interface Carried {
  client: Connection | null
}
