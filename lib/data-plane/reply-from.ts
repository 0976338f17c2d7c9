import replyFrom from '@fastify/reply-from'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { FastifyReplyFromHooks, FastifyReplyFromOptions } from '@fastify/reply-from'
import type { ProxyExchange, Respond } from '../model/exchange.ts'

/*
 * The only file that knows @fastify/reply-from. What it gives us is the way into and out of Fastify's reply; where a request
 * goes, how its heads look, whether it is tried again and how errors read is ours. test/contract/reply-from.test.ts holds every
 * fact that is leaned on here.
 */

/** What carries an exchange: a symbol survives reply-from's copies of the headers, and undici never sees it. */
const kExchange = Symbol('sluice.exchange')

interface Carrier { readonly [kExchange]: ProxyExchange }

/** What reply-from calls in place of an undici dispatcher. */
export interface RequestTaker {
  request (exchange: ProxyExchange, respond: Respond): void
}

/** Sends a reply by way of reply-from. */
export type Forward = (reply: FastifyReply) => void

/** Nobody is asked for here: a constant, so that reply-from's URL cache holds one entry. */
const ORIGIN = 'http://proxy.invalid'

/** Nothing in it depends on the route. In the order reply-from calls them. */
const hooks = Object.freeze({
  getUpstream: () => ORIGIN,
  queryString: () => '',
  // The exchange has the body. What a parser of the app has made of it would be encoded once more here, or make it throw.
  body: null,
  rewriteRequestHeaders: (request: FastifyRequest) => ({ [kExchange]: request.proxy as ProxyExchange }),
  // Its own policy sends a 503 up to ten times more; ours has decided before it is asked.
  retryDelay: () => null,
  onResponse: (request: FastifyRequest, reply: FastifyReply, response: { stream: unknown }) => {
    // Fastify's code() ends at 599.
    if (reply.raw.statusCode === 599) reply.raw.statusCode = Math.max((request.proxy as ProxyExchange).last!.statusCode, 599)
    reply.send(response.stream)
  }
}) as unknown as FastifyReplyFromHooks

/**
 * Sets reply-from up in `scope` and gives its way of sending. The app's own `reply.from`, if it has one, stays the app's: ours is
 * caught before it becomes a decorator.
 */
export function setUpReplyFrom (scope: FastifyInstance, taker: RequestTaker): Forward {
  const options: FastifyReplyFromOptions = {
    base: ORIGIN,
    // reply-from would type a dispatcher here, and uses its `request` alone.
    undici: {
      request (options: { headers: Carrier }, respond: Respond): void {
        taker.request(options.headers[kExchange], respond)
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
  return function forward (reply) {
    from!.call(reply, '/', hooks)
  }
}
