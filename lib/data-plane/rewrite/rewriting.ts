import { type Duplex, pipeline, Readable } from 'node:stream'
import type { ProxyErrorLike, RewritePlan } from '../../../types/model.ts'
import type { ResponseHead } from '../../../types/options.ts'
import type { Payload, ProxyExchange } from '../../model/exchange.ts'
import { isThenable, thrownBy, wrongResult } from '../../model/option-result.ts'
import type { ProxyAttempt } from '../attempt.ts'
import { isHttp2 } from '../http2-reply.ts'
import { isMediaType } from '../content.ts'
import { type BodySource, ResponseBody } from '../response-body.ts'
import { type Coding, codingOf } from './coding.ts'
import { Inflation } from './inflation.ts'
import { correctHead, isAboutRewritten, isRewritten } from './rewritten-head.ts'
import { proxyError, toProxyError } from '../../errors.ts'

/** Whoever goes on with a body that has been rewritten. */
export interface RewriteOwner {
  /** Head and body are as the client is to have them. */
  handBack (attempt: ProxyAttempt, head: ResponseHead, payload: Payload): void
  /** Our own work on the body failed. */
  spoil (attempt: ProxyAttempt, error: ProxyErrorLike, isHandedBack: boolean): void
}

/** Rewrites a response's body where the plan is for it; hands it back as it is where it is not. */
export function rewriteBody (owner: RewriteOwner, plan: RewritePlan, attempt: ProxyAttempt, head: ResponseHead, payload: Payload): void {
  if (payload === undefined || !isRewritten(plan, attempt.exchange, head)) {
    if (isAboutRewritten(plan, attempt.exchange, head)) correctHead(head, null)
    owner.handBack(attempt, head, payload)
    return
  }
  new Rewriting(owner, plan, attempt, head).begin(payload)
}

/**
 * One body on its way through. Whole, while it fits and there is a function for whole bodies: then its head waits for it. As a stream
 * otherwise. A body that is to be rewritten and cannot be is never passed on as it is: what was to be taken out may be a secret.
 */
class Rewriting implements BodySource {
  readonly #owner: RewriteOwner
  readonly #plan: RewritePlan
  readonly #attempt: ProxyAttempt
  readonly #exchange: ProxyExchange
  readonly #head: ResponseHead
  #coding: Coding | null = null
  readonly #stages: Readable[] = []
  /** The last stage of a stream, and what the client is given of it. */
  #tail: Readable | null = null
  #body: ResponseBody | null = null
  #isOver = false

  constructor (owner: RewriteOwner, plan: RewritePlan, attempt: ProxyAttempt, head: ResponseHead) {
    this.#owner = owner
    this.#plan = plan
    this.#attempt = attempt
    this.#exchange = attempt.exchange
    this.#head = head
  }

  begin (payload: Buffer | Readable): void {
    const { headers } = this.#head
    const coding = codingOf(headers['content-encoding'])
    if (coding === undefined) {
      // Before anything reads from it: abandoning the attempt ends it.
      if (payload instanceof Readable) this.#watch(payload)
      this.#fail(proxyError('http_response_content_coding', 'responseBody', new Error(`cannot decode '${String(headers['content-encoding'])}'`)))
      return
    }
    this.#coding = coding
    if (Buffer.isBuffer(payload)) {
      if (coding === null && this.#plan.whole !== null && payload.length <= this.#plan.limit) this.#rewriteWhole(payload)
      else this.#decode(Readable.from([payload], { objectMode: false }), payload[0]!, true)
      return
    }
    this.#watch(payload)
    if (coding === null || !coding.isAmbiguous) this.#decode(payload, 0, false)
    else this.#peek(payload)
  }

  /** The first byte says of what is called deflate which of two formats it is. */
  #peek (source: Readable): void {
    source.once('readable', () => {
      const chunk = source.read() as Buffer | null
      if (chunk !== null) source.unshift(chunk)
      this.#decode(source, chunk === null ? 0 : chunk[0]!, false)
    })
  }

  #decode (source: Readable, first: number, isAllThere: boolean): void {
    if (this.#coding === null) {
      this.#read(source, isAllThere)
      return
    }
    const decoder = this.#coding.decoder(first)
    const inflation = new Inflation(this.#exchange)
    decoder.on('error', (cause) => { this.#fail(proxyError('http_response_content_coding', 'responseBody', cause)) })
    this.#watch(inflation)
    this.#stages.push(decoder)
    pipeline(source, decoder, inflation, this.#onPiped)
    this.#read(inflation, isAllThere)
  }

  /** Whole or as a stream: where both are possible, what is not here at once is not waited for. */
  #read (input: Readable, isAllThere: boolean): void {
    const { whole, stream, limit, prefersStream } = this.#plan
    const isEndless = this.#exchange.isEventStream
    const isTooLong = this.#coding === null && Number(this.#head.headers['content-length']) > limit
    if (whole === null || isEndless || isTooLong || (prefersStream && !isAllThere)) this.#rewriteStream(input)
    else this.#collect(input, limit, stream !== null)
  }

  #collect (input: Readable, limit: number, hasStream: boolean): void {
    const chunks: Buffer[] = []
    let length = 0
    const onData = (chunk: Buffer): void => {
      chunks.push(chunk)
      length += chunk.length
      if (length <= limit) return
      input.off('data', onData).off('end', onEnd)
      input.pause()
      if (hasStream) input.unshift(Buffer.concat(chunks))
      this.#rewriteStream(input)
    }
    const onEnd = (): void => { this.#rewriteWhole(Buffer.concat(chunks)) }
    input.on('data', onData).on('end', onEnd)
  }

  // Whole ──────────────────────────────────────────────────────────────────

  #rewriteWhole (body: Buffer): void {
    try {
      const result = this.#plan.whole!(body, this.#exchange, this.#head)
      if (!isThenable(result)) {
        this.#encodeWhole(result)
        return
      }
      // The app is what we wait for, for as long as for a client that does not read.
      this.#exchange.phase = 'responseRewrite'
      this.#exchange.phaseDue = performance.now() + this.#exchange.route.timeouts.write
      Promise.resolve(result).then((settled) => { this.#encodeWhole(settled) }).catch(this.#fail)
    } catch (error) {
      this.#fail(error)
    }
  }

  #encodeWhole (result: unknown): void {
    const bytes = toBytes(result)
    if (this.#coding === null) {
      this.#answer(bytes)
      return
    }
    const encoder = this.#coding.encoder(false)
    const chunks: Buffer[] = []
    encoder.on('data', (chunk: Buffer) => { chunks.push(chunk) })
    encoder.on('end', () => { this.#answer(Buffer.concat(chunks)) })
    this.#watch(encoder)
    encoder.end(bytes)
  }

  #answer (bytes: Buffer): void {
    const exchange = this.#exchange
    // Answered meanwhile with an error, a timeout's.
    if (this.#isOver || !exchange.isProxied) return
    if (exchange.endedAt !== 0) {
      this.#fail(exchange.error ?? proxyError('client_closed_request', 'responseBody'))
      return
    }
    this.#isOver = true
    exchange.phase = 'responseBody'
    exchange.phaseDue = performance.now() + exchange.route.timeouts.write
    // Behind a length HTTP/1.1 has no place for trailers.
    const isChunked = this.#attempt.hasTrailers && !isHttp2(exchange.reply.raw)
    correctHead(this.#head, isChunked ? null : bytes.length)
    this.#owner.handBack(this.#attempt, this.#head, isChunked ? this.#asStream(bytes) : this.#asPayload(bytes))
  }

  /** Fastify makes up a content type for buffers, and none for streams. */
  #asPayload (bytes: Buffer): Payload {
    return isMediaType(this.#head.headers['content-type']) ? bytes : this.#asStream(bytes)
  }

  #asStream (bytes: Buffer): ResponseBody {
    const body = new ResponseBody(this, [bytes])
    body.finish()
    return body
  }

  // As a stream ────────────────────────────────────────────────────────────

  #rewriteStream (input: Readable): void {
    if (this.#plan.stream === null) {
      this.#fail(proxyError('http_response_body_size', 'responseBody', new Error(`the body is larger than the rewriteLimit of ${this.#plan.limit} bytes`)))
      return
    }
    try {
      const stages: Duplex[] = [this.#plan.stream(this.#exchange, this.#head)]
      // Before all others that listen: what the app's stream fails with says nothing of the upstream.
      stages[0]!.on('error', (cause) => { this.#fail(thrownBy('body.rewrite.stream', cause, 'responseBody')) })
      if (this.#coding !== null) stages.push(this.#coding.encoder(this.#exchange.isEventStream))
      for (const stage of stages) this.#watch(stage)
      this.#flow(input, stages)
    } catch (error) {
      this.#fail(error)
    }
  }

  #flow (input: Readable, stages: readonly Duplex[]): void {
    const tail = stages[stages.length - 1]!
    const body = this.#body = new ResponseBody(this, [])
    this.#tail = tail
    tail.on('data', (chunk: Buffer) => { if (!body.give(chunk)) tail.pause() })
    tail.on('end', () => {
      this.#isOver = true
      body.finish()
    })
    pipeline([input, ...stages], this.#onPiped)
    correctHead(this.#head, null)
    this.#owner.handBack(this.#attempt, this.#head, body)
  }

  wanted (): void {
    this.#tail?.resume()
  }

  /** The client left, or a hook put something else in its place. */
  dropped (): void {
    if (this.#isOver) return
    this.#isOver = true
    for (const stage of this.#stages) stage.destroy()
  }

  // ────────────────────────────────────────────────────────────────────────

  #watch (stage: Readable): void {
    this.#stages.push(stage)
    stage.on('error', this.#fail)
  }

  /** A stage that was destroyed without a word of why. */
  readonly #onPiped = (error: NodeJS.ErrnoException | null | undefined): void => {
    if (error !== null && error !== undefined) this.#fail(error)
  }

  readonly #fail = (cause: unknown): void => {
    if (this.#isOver) return
    this.#isOver = true
    const error = toProxyError(cause, 'responseBody')
    this.#owner.spoil(this.#attempt, error, this.#body !== null)
    this.#body?.destroy(error)
    for (const stage of this.#stages) stage.destroy()
  }
}

function toBytes (result: unknown): Buffer {
  if (typeof result === 'string') return Buffer.from(result)
  if (Buffer.isBuffer(result)) return result
  if (result instanceof Uint8Array) return Buffer.from(result.buffer, result.byteOffset, result.byteLength)
  throw wrongResult('body.rewrite', 'a string or bytes', result)
}
