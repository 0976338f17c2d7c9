import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Route, Snapshot } from '../../types/model.ts'
import type { Tools } from '../../types/policy.ts'
import { type Override, ProxyExchange } from '../model/exchange.ts'
import { openFlow } from '../model/flow.ts'
import { bindTrace } from '../model/lazy-logger.ts'
import { checkBoolean } from '../model/option-result.ts'
import { restoreUrl } from './arrival.ts'
import { chooseVariant } from './canary.ts'
import { isMediaType } from './content.ts'
import { watchClient } from './departure.ts'
import type { Forwarder } from './forwarder.ts'
import { countForward } from './max-forwards.ts'
import { parseTarget, isCleanPath } from './path-policy.ts'
import { isGrpc, openGrpc } from './grpc.ts'
import { endsWithHead, isHttp2 } from './http2-reply.ts'
import { furnish, isInjected } from './injected.ts'
import { bodyLost, ownBody, parsedBody } from './parsed-body.ts'
import { RequestBody } from './request-body.ts'
import type { RouteGuards } from './route-guards.ts'
import { type Fault, findFault, settleVersion } from './strictness.ts'
import { mayComeAtOnce, readWhole } from './whole-upload.ts'
import { findReferences } from './transform/references.ts'
import { readTrace } from './transform/trace-context.ts'
import { isLogged, takeTrace } from './request-log.ts'
import { closeBehindUpgrade } from './response-head.ts'
import { proxyError, toProxyError } from '../errors.ts'

/** What a route's own code needs of the gateway. */
export interface Gate {
  /** null until the app is ready, and Fastify takes no request before that. */
  readonly snapshot: Snapshot | null
  readonly forwarder: Forwarder
  readonly tools: Tools
  /** null until the app is ready. */
  readonly guards: RouteGuards | null
}

/**
 * Opens the exchange, before the route's own hooks run: so that their log lines carry the trace, and what no upstream should see
 * is refused before anything is spent on it. Touches no upstream.
 * @returns whether the request goes on; if not, it has been answered
 */
export function openExchange (gate: Gate, route: Route, request: FastifyRequest, reply: FastifyReply): boolean {
  if (request.raw.httpVersionMajor !== 1) settleVersion(request.raw)
  if (isInjected(request.raw)) furnish(request.raw)
  const exchange = new ProxyExchange(request, reply, route, gate.tools.now())
  request.proxy = exchange
  watchClient(gate.forwarder, exchange)
  try {
    openTrace(gate.forwarder, exchange)
    exchange.totalDue = exchange.startedAt + route.timeouts.total
    const fault = findFault(request.raw)
    if (fault !== null && fault.isLeftToNode) return leaveToNode(gate, exchange, fault)
    if (fault !== null) throw refused(exchange, fault)
    if (request.raw.httpVersionMajor === 2) openHttp2(exchange)
    else closeBehindUpgrade(exchange)
    exchange.isShownOtherwise = restoreUrl(request.raw)
    const target = parseTarget(request.raw.url!, request.method, route.encodedSlashes)
    if (target === null) throw invalid('the request target is not one that can be forwarded')
    exchange.path = target.path
    exchange.query = target.query
    // A server of Fastify's that nobody watches (for the other address of 'localhost') has found the route by Host.
    if (target.authority !== null && !isHost(target.authority, request)) throw invalid('the request target names another host than Host does')
    gate.guards?.check(exchange, target.hasTwoReadings)
    hideContentType(exchange)
    return true
  } catch (error) {
    gate.forwarder.fail(exchange, toProxyError(error, 'select'))
    return false
  }
}

function isHost (authority: string, { raw }: FastifyRequest): boolean {
  return authority.toLowerCase() === (raw.headers.host ?? '').toLowerCase()
}

/** Two answers to one request would be one too many; Node's comes in this very turn, if it comes. */
function leaveToNode (gate: Gate, exchange: ProxyExchange, fault: Fault): false {
  setImmediate(function refuseAfterNode () {
    if (!exchange.request.raw.socket.destroyed) gate.forwarder.fail(exchange, toProxyError(refused(exchange, fault), 'select'))
  })
  return false
}

/** What is said in pseudo-fields is said in Host to everyone behind us (RFC 9113 8.3.1). */
function openHttp2 (exchange: ProxyExchange): void {
  const { headers } = exchange.request.raw
  const authority = headers[':authority'] as string | undefined
  if (authority !== undefined) {
    // A server of Fastify's that nobody watches has found the route by Host.
    if (headers.host !== undefined && headers.host !== authority) throw invalid('the Host is not the authority')
    headers.host = authority
  }
  if (isGrpc(headers)) openGrpc(exchange)
}

/**
 * A content type that is none is no business of a proxy's: Fastify is not shown it, and the upstream gets it as it came. Only what
 * has a body is looked at.
 */
function hideContentType (exchange: ProxyExchange): void {
  const { headers, method } = exchange.request.raw
  const type = headers['content-type']
  if (type === undefined || method === 'GET' || method === 'HEAD' || isMediaType(type)) return
  exchange.hiddenContentType = type
  delete headers['content-type']
}

function openTrace (forwarder: Forwarder, exchange: ProxyExchange): void {
  const { route, request } = exchange
  if (route.trace === false) return
  exchange.isTraceRestarted = isRestarted(route, request)
  if (forwarder.tracing !== null && route.trace !== 'passthrough') forwarder.tracing.follow(exchange)
  else exchange.trace = takeTrace(request.raw) ?? readTrace(request.headers, route.trace, exchange.isTraceRestarted)
  if (exchange.trace !== null && !isLogged(request.raw)) bindTrace(exchange, exchange.trace)
}

/** True where the client's trace is replaced rather than followed. */
export function isRestarted ({ trace, trust }: Route, request: FastifyRequest): boolean {
  return trace === 'restart' || (trust !== null && !checkBoolean('trust', trust(request)))
}

/** The route's handler, after auth: chooses the side, settles the path, and forwards. */
export function forwardExchange (gate: Gate, exchange: ProxyExchange, upgrade: 'websocket' | null = null): void {
  const { request, route } = exchange
  try {
    if (exchange.isAborted) throw proxyError('client_closed_request', 'select')
    if (exchange.hiddenContentType !== null) request.raw.headers['content-type'] = exchange.hiddenContentType
    if (exchange.override !== null) applyTarget(exchange, exchange.override)
    if ((request.method === 'OPTIONS' || request.method === 'TRACE') && endsHere(exchange)) return
    if (route.canaries !== null) chooseVariant(exchange, route.canaries, gate.tools)
    const path = rewritePath(exchange)
    exchange.outgoing = { method: exchange.override?.method ?? request.method, path, headers: {}, body: null, servername: null, reset: upgrade !== null, upgrade }
    if (route.hasTwoNames) findReferences(exchange, exchange.outgoing.method, gate.guards)
    if (exchange.totalDue !== Infinity) gate.forwarder.deadlines.arm(exchange)
  } catch (error) {
    gate.forwarder.fail(exchange, toProxyError(error, 'select'))
    return
  }
  if (mayComeAtOnce(request.raw)) process.nextTick(forwardBody, gate.forwarder, exchange)
  else forwardBody(gate.forwarder, exchange)
}

function forwardBody (forwarder: Forwarder, exchange: ProxyExchange): void {
  // By code that called reply.proxy a second time, within the tick.
  if (exchange.isSuperseded) return
  try {
    if (exchange.isAborted) throw proxyError('client_closed_request', 'select')
    exchange.outgoing!.body = takeBody(forwarder, exchange)
  } catch (error) {
    forwarder.fail(exchange, toProxyError(error, 'select'))
    return
  }
  forwarder.request(exchange)
}

/** What only OPTIONS and TRACE have. */
function endsHere (exchange: ProxyExchange): boolean {
  const outcome = countForward(exchange)
  if (outcome === 'invalid') throw invalid('Max-Forwards is not a number')
  return outcome === 'answered'
}

/** @throws ProxyError `http_request_error` where the path is not one to be sent */
export function rewritePath (exchange: ProxyExchange): string {
  const { route, request, path, query } = exchange
  // Of the server as a whole: no prefix to take off, nothing to put before it.
  if (path === '*') return path
  const rewritten = route.path.rewrite(path, request)
  if (rewritten === path) return path + query
  // A path that only decoding makes one of this route, or that a parameter turned into another.
  if (rewritten === null) throw invalid('the path is not one that this route forwards')
  const question = rewritten.indexOf('?')
  // A rewrite that brings a query of its own replaces the client's.
  const newPath = question === -1 ? rewritten : rewritten.slice(0, question)
  if (!isCleanPath(newPath, route.encodedSlashes)) throw invalid('the path does not pass the path policy once rewritten')
  return question === -1 ? newPath + query : rewritten
}

/** The client is told no more than that; the log has the reason. */
function invalid (reason: string): Error {
  return proxyError('http_request_error', 'select', new Error(reason))
}

/** What is wrong with how a message is framed or addressed makes what follows on its connection doubtful as well (RFC 9112 6.3). */
function refused ({ reply }: ProxyExchange, { reason, isUnknownCoding }: Fault): Error {
  if (!isHttp2(reply.raw)) reply.header('connection', 'close')
  return isUnknownCoding ? proxyError('unknown_transfer_coding', 'select', new Error(reason)) : invalid(reason)
}

/** A method and a path of the code's own, held to the same policy: parts of them may be a client's. */
function applyTarget (exchange: ProxyExchange, { method, path }: Override): void {
  // It would open a tunnel past everything that holds for a request (RFC 9110 9.3.6).
  if (method === 'CONNECT') throw invalid('CONNECT is not forwarded')
  if (path === null) return
  const target = path.startsWith('/') ? parseTarget(path, exchange.method, exchange.route.encodedSlashes) : null
  if (target === null) throw invalid('the path given to reply.proxy does not pass the path policy')
  exchange.path = target.path
  exchange.query = target.query
}

/** By what frames the message, not by its method: a GET may have a body, and a POST none (RFC 9112 6.3). */
function takeBody (forwarder: Forwarder, exchange: ProxyExchange): RequestBody | Buffer | null {
  const { request, route, override } = exchange
  if (override !== null) {
    const own: unknown = request.body
    if (override.body !== undefined || !(own === undefined || own instanceof Readable)) {
      exchange.hasOwnLength = true
      return override.body === undefined ? parsedBody(exchange, own) : ownBody(exchange, override.body)
    }
  }
  const { raw } = request
  const length = raw.headers['content-length']
  if (raw.httpVersionMajor === 2 ? endsWithHead(raw) : raw.headers['transfer-encoding'] === undefined && (length === undefined || length === '0')) return null
  if (route.bodyLimit > 0 && Number(length) > route.bodyLimit) throw proxyError('content_too_large', 'requestBody')
  const parsed: unknown = request.body
  const source = parsed instanceof Readable ? parsed : raw
  const whole = source === raw ? takeWhole(exchange) : null
  if (whole !== null) {
    exchange.bytesIn = whole.length
    return whole
  }
  if (override !== null && source === raw && raw.readableDidRead) throw bodyLost('the app has read of the body')
  openFlow(forwarder.flows, exchange)
  // A preParsing hook has put its own stream in the place of the client's.
  exchange.hasOwnLength = source !== raw
  return new RequestBody(source, exchange, forwarder.deadlines)
}

/** The client's body in one piece, if it is all here; one that an earlier exchange of the request has taken is nowhere else. */
function takeWhole ({ request: { raw }, route, override }: ProxyExchange): Buffer | null {
  if (override !== null && override.taken !== null) return override.taken
  // In one piece it is kept, and could be sent again, which is not wanted of a body beyond `body.replay`.
  return route.retry === null || Number(raw.headers['content-length']) <= route.replay ? readWhole(raw) : null
}
