import type { Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { buildConnector, Client, Pool, type Dispatcher } from 'undici'
import { Bell } from '../helpers/until.ts'

type Call = 'onConnect' | 'onRequestSent' | 'onHeaders' | 'onData' | 'onComplete' | 'onError'

/** A handler of the kind that lib's attempt is: written down in the order undici calls it. */
export class Recorder implements Dispatcher.DispatchHandler {
  readonly calls: Call[] = []
  readonly heads: { status: number, raw: Buffer[] }[] = []
  error: (Error & { code?: string }) | null = null
  body = ''
  abort: () => void = () => {}
  resume: () => void = () => {}
  /** Where it would have gone on by itself. */
  readonly act: Partial<Record<Call, () => boolean | void>>
  readonly #bell = new Bell()

  constructor (act: Recorder['act'] = {}) {
    this.act = act
  }

  onConnect (abort: () => void): void {
    this.abort = abort
    this.#note('onConnect')
  }

  onRequestSent (): void {
    this.#note('onRequestSent')
  }

  onHeaders (status: number, raw: Buffer[], resume: () => void): boolean {
    this.heads.push({ status, raw })
    this.resume = resume
    return this.#note('onHeaders')
  }

  onData (chunk: Buffer): boolean {
    this.body += chunk.toString('latin1')
    return this.#note('onData')
  }

  onComplete (): void {
    this.#note('onComplete')
  }

  onError (error: Error): void {
    this.error = error
    this.#note('onError')
  }

  /** Resolves once it was called so, `count` times. */
  async called (name: Call, count: number = 1): Promise<this> {
    await this.#bell.until(() => `${count} × ${name}, got ${this.calls.join()} ${this.error?.stack ?? ''}`, () => this.calls.filter((call) => call === name).length >= count)
    return this
  }

  /** Resolves once it was called for the last time. */
  async ended (): Promise<this> {
    await this.#bell.until(() => `an end, got ${this.calls.join()}`, () => this.calls.includes('onComplete') || this.calls.includes('onError'))
    return this
  }

  #note (name: Call): boolean {
    this.calls.push(name)
    this.#bell.ring()
    return this.act[name]?.() ?? true
  }
}

export type Outgoing = Partial<Omit<Dispatcher.DispatchOptions, 'headers'>> & { headers?: Record<string, string | string[]>, servername?: string | null }

/** As lib dispatches: the options lack an origin, which undici's types want and a pool has of itself. */
export function dispatch (dispatcher: Dispatcher, outgoing: Outgoing, handler: Dispatcher.DispatchHandler = new Recorder()): boolean {
  return dispatcher.dispatch({ path: '/', method: 'GET', body: null, reset: false, ...outgoing } as unknown as Dispatcher.DispatchOptions, handler)
}

/** Sends and waits for the end, whichever it is. */
export async function send (dispatcher: Dispatcher, outgoing: Outgoing = {}, handler: Recorder = new Recorder()): Promise<Recorder> {
  dispatch(dispatcher, outgoing, handler)
  return handler.ended()
}

/** A connector that remembers its sockets, in the order they were connected. */
export function remembering (sockets: Socket[]): buildConnector.connector {
  const connect = buildConnector({ timeout: 0 })
  return function connectAndRemember (options, callback) {
    connect(options, function remember (...result: Parameters<buildConnector.Callback>) {
      if (result[1] !== null) sockets.push(result[1])
      callback(...result)
    } as buildConnector.Callback)
  }
}

/** A pool with the settings of lib's, on one connection unless told otherwise. */
export function poolOf (t: TestContext, origin: string, options: Pool.Options = {}): Pool {
  const pool = new Pool(origin, { connections: 1, pipelining: 1, headersTimeout: 0, bodyTimeout: 0, factory: (origin: URL | string, options: object) => new Client(origin, options), ...options })
  t.after(() => pool.destroy())
  return pool
}
