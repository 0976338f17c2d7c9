import type { FastifyReply } from 'fastify'
import type { Route } from '../../types/model.ts'
import type { ReplyProxyOptions } from '../../types/options.ts'
import type { ProxyExchange } from '../model/exchange.ts'
import { isThenable, quieten, wrongValue } from '../model/option-result.ts'
import { forwardExchange, type Gate, openExchange } from './entry.ts'
import { RequestBody } from './request-body.ts'
import { proxyError, toProxyError } from '../errors.ts'

/** What `reply.proxy` needs of the gateway. */
export interface ReplyGate extends Gate {
  replyRoute (upstream: string, options: ReplyProxyOptions, behaviour: Readonly<Record<string, unknown>>): Route
}

/** Nothing in it, nothing to build. */
const none: ReplyProxyOptions = Object.freeze({})

/** Forwards a request from the code of any route: `reply.proxy('users', { path: '/users/self' })`. */
export function replyProxy (gate: ReplyGate, reply: FastifyReply, upstream: string, options: ReplyProxyOptions = none): FastifyReply {
  const { request } = reply
  const { path, method, headers, body, bodyPolicy, ...behaviour } = options
  let isEdits = false
  let route: Route
  try {
    checkCall(upstream, options as Readonly<Record<keyof ReplyProxyOptions, unknown>>)
    isEdits = headers !== undefined && hasEdits(headers)
    route = gate.replyRoute(upstream, options, {
      ...behaviour,
      ...isEdits && { headers },
      ...bodyPolicy !== undefined && { body: bodyPolicy }
    })
  } catch (error) {
    const known = toProxyError(error, 'select')
    // There is no exchange, and so no access line: whoever wrote the call finds the reason here.
    request.log.error({ err: known }, 'reply.proxy')
    reply.send(known)
    return reply
  }
  // A proxied route's own exchange, whose hook sends the request elsewhere.
  const before = request.proxy as ProxyExchange | null
  if (before !== null) before.isSuperseded = true
  if (!openExchange(gate, route, request, reply)) return reply
  const exchange = request.proxy as unknown as ProxyExchange
  exchange.override = {
    path: path ?? null,
    method: method?.toUpperCase() ?? null,
    headers: headers === undefined || isEdits ? null : headers as Record<string, string>,
    body,
    taken: before === null ? null : takenBy(before)
  }
  // The rest of a chunked body would pass for a whole one.
  if (before !== null && body === undefined && isSpent(before)) gate.forwarder.fail(exchange, before.error ?? proxyError('client_body_error', 'requestBody'))
  else forwardExchange(gate, exchange)
  return reply
}

/**
 * Options that are read for each call, and not checked with those that make a route. A promise is the result of a function that was not awaited.
 * @throws WrongResultError
 */
function checkCall (upstream: unknown, { path, method, headers, body }: Readonly<Record<keyof ReplyProxyOptions, unknown>>): void {
  if (typeof upstream !== 'string') throw wrongValue('the upstream that reply.proxy is given', 'a string', upstream)
  if (path !== undefined && path !== null && typeof path !== 'string') throw wrongValue('`path` of reply.proxy', 'a string', path)
  if (method !== undefined && method !== null && typeof method !== 'string') throw wrongValue('`method` of reply.proxy', 'a string', method)
  if (isThenable(body)) throw wrongValue('`body` of reply.proxy', 'a string, a buffer or an object', body)
  if (headers === undefined) return
  if (typeof headers !== 'object' || headers === null || Symbol.iterator in headers || isThenable(headers)) throw wrongValue('`headers` of reply.proxy', 'an object with names for keys', headers)
  for (const name in headers) {
    const value = (headers as Record<string, unknown>)[name]
    if (typeof value === 'string' || name === 'request' || name === 'response') continue
    if (typeof value !== 'function' && typeof value !== 'symbol' && (typeof value !== 'object' || value === null || isTexts(value))) continue
    quieten(headers)
    throw wrongValue(`\`headers['${name}']\` of reply.proxy`, 'a string', value)
  }
}

function isTexts (value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

/** An error handler that sends the request elsewhere finds nothing left to read of a body that was taken whole. */
function takenBy ({ outgoing, hasOwnLength }: ProxyExchange): Buffer | null {
  return outgoing !== null && !hasOwnLength && Buffer.isBuffer(outgoing.body) ? outgoing.body : null
}

/** Whether a stream of the client's body has gone to the exchange before, or some of it. */
function isSpent ({ outgoing }: ProxyExchange): boolean {
  return outgoing !== null && outgoing.body instanceof RequestBody && outgoing.body.isSpent
}

/** The edits of a route, rather than headers by their names. */
function hasEdits (headers: object): headers is NonNullable<ReplyProxyOptions['headers']> & { request?: object, response?: object } {
  return Object.entries(headers).some(([key, value]) => (key === 'request' || key === 'response') && typeof value === 'object')
}
