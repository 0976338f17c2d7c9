/** What carries a request, as the attempt sees it: a connection of HTTP/1, or a stream in one of HTTP/2. */
export interface Connection {
  /** Requests that its connection has been given. */
  carried: number
  /** When the last of them was over, or it stood. */
  freedAt: number
  /** What the connection failed with; null while it is well, and after an orderly end. */
  readonly failure: Error | null
  /** Of the present connection, or the last one; for spans. */
  readonly remote?: Remote | null
  /** How long somebody who has waited since then waited for the connection to be made, rather than for its turn on it. */
  connectTimeSince (then: number): number
  /**
   * A request is about to be written: what comes next is the head of its answer. HTTP/1 alone needs to know.
   * @param isForAll whether its target is to be `*`, which undici takes for no path
   */
  expectAnswer?: (isForAll: boolean) => void
  /** The Content-Length of a 304 that undici has not been shown; null for none. */
  readonly hiddenLength?: string | null
  /** Puts trailers, as lines, behind the chunked body whose end is about to be written: undici has no way to say them. */
  endWith?: (trailers: string) => void
  /** A chunk that was just handed over is not needed any more, and what it lies in may be read into. */
  takeBack? (chunk: Buffer): void
  /** Gives the request up. */
  cut (): void
  /** Lets go of what has become a tunnel; only a connection of HTTP/1 can. */
  release? (): void
  /** Closes all connections of the pool that carry nothing: where one was stale, those beside it are no better. */
  cutIdle (): void
}

/** Told which connection carries it. */
export interface Carried {
  client: Connection | null
  /** It has failed, or was given up. */
  readonly isOver?: boolean
  /** Set where other instrumentation of undici is to see nothing of it. */
  readonly silence: Silence | null
}

export interface Silence {
  quietly (work: () => boolean): boolean
}

/** Who is at the other end of a connection, and how it speaks. */
export interface Remote {
  readonly address: string | undefined
  readonly port: number | undefined
  /** As Node names it: `TLSv1.3`; null for plain text. */
  readonly tls: string | null
  readonly isH2: boolean
}
