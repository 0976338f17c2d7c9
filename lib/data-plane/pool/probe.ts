import { Client, type Dispatcher, errors } from 'undici'
import type { Probe, ProbeAnswer } from '../../../types/model.ts'
import { unawaited } from '../../model/unawaited.ts'

/** A health page is short; what goes on for longer has been answered well enough. */
const BODY_LIMIT = 64 * 1024

/** Milliseconds from the start of the probe to the head, once the body is there too. */
class ProbeReader implements Dispatcher.DispatchHandler {
  readonly #startedAt = performance.now()
  readonly #finish: (error: Error | null, answer: ProbeAnswer | null) => void
  #answer: ProbeAnswer | null = null
  #length = 0

  constructor (finish: (error: Error | null, answer: ProbeAnswer | null) => void) {
    this.#finish = finish
  }

  onConnect (): void {}

  onHeaders (statusCode: number): boolean {
    if (statusCode >= 200) this.#answer = { statusCode, latency: performance.now() - this.#startedAt }
    return true
  }

  onData (chunk: Buffer): boolean {
    this.#length += chunk.length
    if (this.#length > BODY_LIMIT) this.#finish(null, this.#answer)
    return true
  }

  onComplete (): void {
    this.#finish(null, this.#answer)
  }

  onError (error: Error): void {
    this.#finish(error, null)
  }
}

/**
 * Asks an endpoint how it is, over a connection of its own: one from the pool would not show that no more can be made, and a probe must
 * not wait behind requests.
 * @returns its answer; rejects if there is none in time, or it is garbage
 */
export function sendProbe (
  origin: string, options: Pick<Client.Options, 'connect' | 'maxHeaderSize'>, probe: Probe, underWay: Set<Client>
): Promise<ProbeAnswer> {
  const client = new Client(origin, { ...options, headersTimeout: 0, bodyTimeout: 0 })
  underWay.add(client)
  return new Promise((resolve, reject) => {
    let isOver = false
    const finish = (error: Error | null, answer: ProbeAnswer | null): void => {
      if (isOver) return
      isOver = true
      clearTimeout(timer)
      underWay.delete(client)
      if (answer !== null) resolve(answer)
      else reject(error ?? new errors.SocketError('no answer'))
      // Not before undici is through with what called us.
      setImmediate(() => { unawaited('the end of a health check', client.destroy()) })
    }
    const timer = setTimeout(() => { finish(new errors.HeadersTimeoutError(`no answer within ${probe.timeout} ms`), null) }, probe.timeout).unref()
    const { method, path, headers, servername } = probe
    // undici's types want an origin, which a client has of itself.
    client.dispatch({ method, path, headers, servername, reset: true } as unknown as Dispatcher.DispatchOptions, new ProbeReader(finish))
  })
}
