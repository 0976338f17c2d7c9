/** Where the time of an exchange went, in milliseconds; together they are the whole of it. Of several attempts the last one's count. */
export interface Stages {
  /** Ours and the app's: hooks, the choice of a side, the shaping of the head. */
  readonly select: number
  /** The wait for a turn: in the upstream's queue, or for one of its connections. */
  readonly queue: number
  /** Attempts that failed, and the waits between them. */
  readonly retry: number
  /** The making of a connection; 0 where one was there. */
  readonly connect: number
  /** The writing of the request, its body included. */
  readonly request: number
  /** From the last byte of the request to the head of the answer: the upstream's own time. */
  readonly firstByte: number
  /** From there to the last byte of the upstream's body. */
  readonly body: number
  /** From there to the last byte that the client took. */
  readonly write: number
}

export type StageName = keyof Stages

/** One of the slowest exchanges of its route. */
export interface SlowExchange {
  /** When it began, in milliseconds since 1970. */
  readonly at: number
  /** Fastify's id of the request: `reqId` in the log. */
  readonly requestId: string
  readonly traceId: string | null
  readonly route: string
  readonly upstream: string
  readonly endpoint: string | null
  readonly variant: string
  readonly method: string
  /** Without its query. */
  readonly path: string
  /** 499 where the client left. */
  readonly status: number
  /** The word of the error; empty where nothing failed. */
  readonly error: string
  readonly attempts: number
  readonly reusedSocket: boolean
  /** Milliseconds, as of `stages`. */
  readonly total: number
  readonly stages: Stages
  /** The longest of them: the name of what was slow. */
  readonly stage: StageName
  /** Milliseconds of it that this process collected garbage. */
  readonly collecting: number
  /** Milliseconds of it that this process's event loop did not turn, collections included. */
  readonly stalled: number
  /** What made up at least half of it, if it was this process: then the stage is where it showed, not where it came from. */
  readonly pause: 'gc' | 'event-loop' | null
}

export interface SlowQuery {
  /**
   * How many at most.
   * @default 20
   */
  readonly count?: number
  /** Id of the route. */
  readonly route?: string
  readonly upstream?: string
  readonly variant?: string
  readonly stage?: StageName
  /** null: those of which this process was not the cause. */
  readonly pause?: 'gc' | 'event-loop' | null
}
