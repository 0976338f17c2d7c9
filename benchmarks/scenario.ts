/** One kind of traffic. */
export interface Scenario {
  readonly name: string
  /** Printed above its table. */
  readonly what: string
  readonly connections: number
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** Size of the request body in bytes; 0 sends none. */
  readonly upload: number
  /** The body of the one right answer, always with status 200. */
  readonly answer: Buffer
  /** `scripted` where the origin has to do what nginx cannot. */
  readonly origin: 'fast' | 'scripted'
  /** What the project promises: our CPU per request is at most this share of that contender's. */
  readonly goals: Readonly<Record<string, number>>
}
