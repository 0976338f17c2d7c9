import { type Attributes, context, createContextKey, diag, isSpanContextValid, propagation, ROOT_CONTEXT, type Context, type Link, type Span, type SpanContext, SpanKind, SpanStatusCode, trace, type Tracer } from '@opentelemetry/api'
import type { Attempt, Endpoint, ProxyErrorLike } from '../../types/model.ts'
import type { ProxyExchange } from '../model/exchange.ts'
import { bindTrace } from '../model/lazy-logger.ts'
import { readOrigin, urlOn } from '../model/origin.ts'

/** The keys are global symbols of these names (`createContextKey` is `Symbol.for`): an SDK's tracer, propagators and instrumentation honour them. */
const suppressed = createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING')
const rpcMetadata = createContextKey('OpenTelemetry SDK Context Key RPC_METADATA')

/**
 * Where undici works for us: no other instrumentation records or injects there. The root, so that connections, which outlive the exchange
 * that opened them, hold on to nothing of it.
 */
const silent = ROOT_CONTEXT.setValue(suppressed, true)

/** What the semantic conventions know; any other is `_OTHER`, lest a client should make up names of spans. */
const knownMethods = new Set(['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'TRACE', 'QUERY'])

/** What the app's SDK throws (a processor, a sampler, a propagator) is its own affair: it is told, and no client. */
function tell (error: unknown): void {
  try {
    diag.error('fastify-sluice: tracing failed', error)
  } catch {
    // The app's own logger of diagnostics. There is nowhere left to say so.
  }
}

/** As far as a span tells of the connection of an attempt. */
export interface TracedAttempt extends Attempt {
  readonly client: {
    readonly remote?: { readonly address: string | undefined, readonly port: number | undefined, readonly tls: string | null, readonly isH2: boolean } | null
  } | null
}

interface Traced {
  /** The span of the attempt that is prepared or under way. */
  span: Span | null
  parent: Context
}

/**
 * Traces with the app's OpenTelemetry SDK: one CLIENT span per attempt, after the semantic conventions for HTTP, and its context in the
 * headers exactly once, whatever the client sent and whatever else instruments undici. Made only where a propagator is registered.
 */
export class Tracing {
  readonly #tracer: Tracer
  /** The propagator's headers, which the client's must not stand beside. */
  readonly #fields: readonly string[]
  readonly #traced = new WeakMap<ProxyExchange, Traced>()
  readonly #addresses = new WeakMap<Endpoint, Attributes>()

  /** null without a registered propagator: the API's own forwards nothing, and names no fields. */
  static create (version: string): Tracing | null {
    const fields = propagation.fields()
    return fields.length === 0 ? null : new Tracing(trace.getTracer('fastify-sluice', version), fields)
  }

  private constructor (tracer: Tracer, fields: readonly string[]) {
    this.#tracer = tracer
    this.#fields = fields.map((field) => field.toLowerCase())
  }

  /** Finds the exchange's place in a trace, for its log lines: the active span, or what the client sent. */
  follow (exchange: ProxyExchange): void {
    const traced: Traced = { span: null, parent: ROOT_CONTEXT }
    this.#traced.set(exchange, traced)
    try {
      this.#follow(exchange, traced)
    } catch (error) {
      tell(error)
    }
  }

  #follow (exchange: ProxyExchange, traced: Traced): void {
    const { request } = exchange
    const active = context.active()
    const span = trace.getSpan(active)
    if (span !== undefined) nameRoute(active, span, request.routeOptions?.url)
    const parent = span !== undefined ? active : propagation.extract(ROOT_CONTEXT, request.headers)
    traced.parent = parent
    const spanContext = trace.getSpanContext(parent)
    // A caller who is not followed has no say in our lines either.
    if (spanContext === undefined || (span === undefined && exchange.isTraceRestarted)) return
    exchange.trace = placeOf(spanContext)
  }

  /** Begins the span of an attempt and puts its context into the headers. */
  begin (exchange: ProxyExchange, headers: Record<string, string | string[]>, attempt: number): void {
    // First: whatever fails from here on, the client's never stand where the propagator's should.
    for (const field of this.#fields) delete headers[field]
    if (exchange.isTraceRestarted) delete headers['baggage']
    try {
      this.#begin(exchange, headers, attempt)
    } catch (error) {
      tell(error)
    }
  }

  #begin (exchange: ProxyExchange, headers: Record<string, string | string[]>, attempt: number): void {
    // What is sent, which may be another than was received.
    const { method } = exchange.outgoing!
    const traced = this.#traced.get(exchange)!
    // A hook may have opened a span since.
    const active = context.active()
    const found = trace.getSpan(active) === undefined ? traced.parent : active
    const { parent, links } = exchange.isTraceRestarted ? restarted(found) : { parent: found, links: [] }
    const { name, attributes } = nameOf(method)
    // What a sampler is to decide by has to be there from the beginning.
    Object.assign(attributes, placeIn(exchange))
    const { endpoints } = exchange.upstream.state
    if (endpoints.length === 1) Object.assign(attributes, this.#addressOf(endpoints[0]!))
    if (attempt > 1) {
      attributes['http.request.resend_count'] = attempt - 1
      attributes['sluice.retry.reason'] = reasonOf(exchange.last)
    }
    const span = this.#tracer.startSpan(name, { kind: SpanKind.CLIENT, links, attributes }, parent)
    traced.span = span
    if (exchange.trace === null) enter(exchange, span.spanContext())
    propagation.inject(trace.setSpan(parent, span), headers)
  }

  /** An endpoint is chosen, and the head as it will be. */
  sent (attempt: TracedAttempt, path: string): void {
    try {
      this.#sent(attempt, path)
    } catch (error) {
      tell(error)
    }
  }

  #sent (attempt: TracedAttempt, path: string): void {
    const { endpoint } = attempt
    const exchange = attempt.exchange as ProxyExchange
    const span = this.#traced.get(exchange)?.span
    if (span === undefined || span === null || !span.isRecording()) return
    const { name, attributes } = nameOf(exchange.method)
    span.updateName(name)
    // A hook of the route may have changed it.
    span.setAttributes(attributes)
    span.setAttributes(this.#addressOf(endpoint))
    // Without the query, which holds tokens and names.
    span.setAttribute('url.full', urlOn(endpoint.origin, path.split('?', 1)[0]!))
  }

  /** Has undici make requests where nobody else adds anything to them: those of this call, and of the timers that it sets. */
  quietly<T> (work: () => T): T {
    return context.with(silent, work)
  }

  /** The attempt is over: its last byte, or its error. */
  end (attempt: TracedAttempt): void {
    const traced = this.#traced.get(attempt.exchange as ProxyExchange)
    const span = traced?.span
    if (span === undefined || span === null) return
    traced!.span = null
    try {
      if (span.isRecording()) describeEnd(span, attempt)
      span.end()
    } catch (error) {
      tell(error)
    }
  }

  /** The exchange ended between the beginning of a span and its attempt. */
  discard (exchange: ProxyExchange, error: ProxyErrorLike): void {
    const traced = this.#traced.get(exchange)
    if (traced === undefined || traced.span === null) return
    const { span } = traced
    traced.span = null
    try {
      if (error.side !== 'client') fail(span, error)
      span.end()
    } catch (error) {
      tell(error)
    }
  }

  /** Once per endpoint: a URL costs more to take apart than to keep. */
  #addressOf (endpoint: Endpoint): Attributes {
    let known = this.#addresses.get(endpoint)
    if (known === undefined) {
      const { isSecure, hostname, port, socketPath } = readOrigin(endpoint.origin)
      known = { 'url.scheme': isSecure ? 'https' : 'http', 'server.address': socketPath ?? hostname, 'sluice.endpoint': endpoint.origin }
      if (port === null) known['network.transport'] = 'unix'
      else known['server.port'] = port
      this.#addresses.set(endpoint, known)
    }
    return known
  }
}

function nameOf (method: string): { name: string, attributes: Attributes } {
  if (knownMethods.has(method)) return { name: method, attributes: { 'http.request.method': method } }
  return { name: 'HTTP', attributes: { 'http.request.method': '_OTHER', 'http.request.method_original': method } }
}

function placeIn (exchange: ProxyExchange): Attributes {
  return {
    'sluice.route': exchange.route.id,
    'sluice.upstream': exchange.upstream.name,
    'sluice.variant': exchange.variant
  }
}

/** The word of the error before, or the status that was not good enough. */
function reasonOf (before: Attempt | null): string {
  if (before === null) return ''
  return before.error === null ? String(before.statusCode) : before.error.error
}

function describeEnd (span: Span, attempt: TracedAttempt): void {
  const { error, statusCode } = attempt
  if (attempt.sentAt !== 0) {
    span.setAttribute('sluice.connection.reused', attempt.reused)
    const remote = attempt.client?.remote
    if (remote !== undefined && remote !== null) {
      if (remote.address !== undefined) span.setAttribute('network.peer.address', remote.address)
      if (remote.port !== undefined) span.setAttribute('network.peer.port', remote.port)
      span.setAttribute('network.protocol.version', remote.isH2 ? '2' : '1.1')
      // `TLSv1.3` is protocol `tls`, version `1.3`.
      if (remote.tls !== null) span.setAttributes({ 'tls.protocol.name': 'tls', 'tls.protocol.version': remote.tls.replace(/^TLSv/, '') })
    }
  }
  if (statusCode > 0) span.setAttribute('http.response.status_code', statusCode)
  // A client that leaves is no error of the upstream's.
  if (error !== null && error.side !== 'client') fail(span, error)
  else if (statusCode >= 400) {
    span.setAttribute('error.type', String(statusCode))
    span.setStatus({ code: SpanStatusCode.ERROR })
  }
}

function fail (span: Span, error: ProxyErrorLike): void {
  span.setAttribute('error.type', error.error)
  span.setStatus({ code: SpanStatusCode.ERROR, message: error.error })
}

/**
 * The span of the server is named after the route by whoever made it: instrumentation-http reads the template where @fastify/otel also
 * leaves it, other makers of SERVER spans get the attribute itself.
 */
function nameRoute (active: Context, span: Span, template: string | undefined): void {
  if (template === undefined) return
  const metadata = active.getValue(rpcMetadata) as { type?: unknown, route?: string } | undefined
  if (metadata !== undefined) metadata.route ??= template
  const { kind, attributes } = span as Span & { kind?: SpanKind, attributes?: Attributes }
  if (kind === SpanKind.SERVER && attributes?.['http.route'] === undefined) span.setAttribute('http.route', template)
}

function placeOf ({ traceId, spanId }: SpanContext): ProxyExchange['trace'] {
  return { traceId, spanId, flags: '00', state: null }
}

/** With nobody to follow, the trace begins with the first attempt: the exchange's lines have its ids from here on. */
function enter (exchange: ProxyExchange, spanContext: SpanContext): void {
  // A propagator without a tracer: spans that are none.
  if (!isSpanContextValid(spanContext)) return
  exchange.trace = placeOf(spanContext)
  bindTrace(exchange, spanContext)
}

/** A new trace that says which one it came from. */
function restarted (parent: Context): { parent: Context, links: Link[] } {
  const span = trace.getSpanContext(parent)
  return { parent: ROOT_CONTEXT, links: span === undefined ? [] : [{ context: span }] }
}
