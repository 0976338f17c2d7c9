import replyFrom from '@fastify/reply-from'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { FastifyReplyFromHooks, FastifyReplyFromOptions } from '@fastify/reply-from'
import type { ProxyExchange, Respond, UpstreamResponse } from '../model/exchange.ts'
import type { ProxyAttempt } from './attempt.ts'
import { isHttp2 } from './http2-reply.ts'
import { lingering } from './lingering.ts'
import { announcedBy, nominatedBy } from './transform/hop-by-hop.ts'
import { announceTrailers, trailerNames, withSums } from './trailers.ts'

/*
 * The only file that knows @fastify/reply-from. What it gives us is the way into Fastify's reply: how an answer's head gets there, and a stream behind
 * it. It is asked for that when the answer is there, and answered at once: where a request goes, how its head looks, whether it is tried again
 * and how errors read is ours, and what whole-answer.ts sends needs nobody. test/contract/reply-from.test.ts holds every fact that is leaned on here.
 */

/** What carries an answer: a symbol survives reply-from's copies of the headers. */
const kView = Symbol('sluice.view')

interface Carrier { readonly [kView]: View }

/** How reply-from is told of an answer. */
type Told = (error: null, response: UpstreamResponse) => void

/** Nobody is asked for here: a constant, so that reply-from's URL cache holds one entry. */
const ORIGIN = 'http://proxy.invalid'

/** The request's head is long gone; see View. */
const noHeaders = Object.freeze({})

/**
 * What reply-from sees of a reply, its request and its raw request: all it asks for, and no head. It would copy the head and edit
 * its copy, which nobody reads.
 */
class View {
  readonly reply: FastifyReply
  readonly response: UpstreamResponse
  /** As the upstream said it. */
  readonly status: number
  readonly headers: object = noHeaders
  readonly url = '/'
  readonly method: string
  readonly httpVersionMajor: number

  constructor ({ reply, last }: ProxyExchange, response: UpstreamResponse) {
    const { raw } = reply.request
    this.reply = reply
    this.response = response
    this.status = last!.statusCode
    this.method = raw.method!
    this.httpVersionMajor = raw.httpVersionMajor
  }

  get request (): View {
    return this
  }

  get raw (): View {
    return this
  }

  get log (): FastifyReply['log'] {
    return this.reply.log
  }

  get sent (): boolean {
    return this.reply.sent
  }

  /** An upload that is still under way when its answer is there; then reply-from closes the connection behind it. */
  get complete (): boolean {
    const { complete } = this.reply.request.raw
    if (!complete) lingering.expect(this.reply.raw)
    return complete
  }

  get aborted (): boolean {
    return this.reply.request.raw.aborted
  }

  header (name: string, value: string | string[]): void {
    this.reply.header(name, value)
  }

  code (status: number): void {
    this.reply.code(status)
  }

  send (payload: unknown): void {
    this.reply.send(payload)
  }
}

/** Nothing in it depends on the route. In the order reply-from calls them. */
const hooks = Object.freeze({
  getUpstream: () => ORIGIN,
  queryString: () => '',
  // The exchange has the body. What a parser of the app has made of it would be encoded once more here, or make it throw.
  body: null,
  rewriteRequestHeaders: (view: View) => ({ [kView]: view }),
  // Its own policy sends a 503 up to ten times more; ours has decided before it is asked.
  retryDelay: () => null,
  onResponse: (_request: View, { reply, status }: View, response: { stream: unknown }) => {
    if (status === 426) keepUpgrade(reply)
    // Fastify's code() ends at 599.
    if (reply.raw.statusCode === 599) reply.raw.statusCode = Math.max(status, 599)
    reply.send(response.stream)
  }
}) as unknown as FastifyReplyFromHooks

/**
 * Sets reply-from up in `scope` and gives its way of answering. The app's own `reply.from`, if it has one, stays the app's: ours is
 * caught before it becomes a decorator.
 */
export function setUpReplyFrom (scope: FastifyInstance): Respond {
  const options: FastifyReplyFromOptions = {
    base: ORIGIN,
    // reply-from would type a dispatcher here, and uses its `request` alone.
    undici: {
      request ({ headers }: { headers: Carrier }, tell: Told): void {
        tell(null, headers[kView].response)
      }
    } as unknown as NonNullable<FastifyReplyFromOptions['undici']>,
    disableRequestLogging: true
  }
  let from: ((this: FastifyReply, source: string, hooks: FastifyReplyFromHooks) => unknown) | null = null
  const standIn = Object.create(scope, {
    decorateReply: { value: (_name: string, decorator: NonNullable<typeof from>) => { from = decorator } },
    // It warns of @fastify/multipart, whose parsers this scope does not have.
    hasPlugin: { value: () => false }
  }) as FastifyInstance
  replyFrom(standIn, options, (error) => { if (error !== undefined) throw error })
  return function respond (exchange, response) {
    const announced = announcedBy(response.headers)
    if (announced !== undefined) passOnTrailer(exchange, response, announced)
    from!.call(new View(exchange, response) as unknown as FastifyReply, '/', hooks)
  }
}

/** Whoever sends Upgrade names it in Connection (RFC 9110 7.8), also where that says by now that it ends. */
function keepUpgrade (reply: FastifyReply): void {
  if (!reply.hasHeader('upgrade')) return
  reply.header('connection', reply.getHeader('connection') === 'close' ? 'upgrade, close' : reply.getHeader('connection') ?? 'upgrade')
}

/** Of a rewritten body sums are no trailers any more. */
function passOnTrailer ({ reply, route, last }: ProxyExchange, { headers, body }: UpstreamResponse, announced: string): void {
  const nominated = nominatedBy(headers)
  const names = trailerNames(announced, route.rewrite === null ? nominated : withSums(nominated))
  if (names === null) return
  if (!isHttp2(reply.raw)) announceTrailers(reply.raw, names)
  else if (!Buffer.isBuffer(body) || (last as ProxyAttempt).hasTrailers) headers['trailer'] = names
}
