import { context, createContextKey, isSpanContextValid, propagation, ROOT_CONTEXT, type Context, type Link, type Span, type SpanContext, SpanKind, SpanStatusCode, trace, type Tracer } from '@opentelemetry/api'
import type { Dispatcher } from 'undici'
import type { Attempt } from '../../types/model.ts'
import type { ProxyExchange } from '../model/exchange.ts'

/** The key is a global symbol of this name (`createContextKey` is `Symbol.for`): an SDK's tracer and propagators honour it. */
const suppressed = createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING')

interface Traced {
  /** The span of the attempt that is prepared or under way. */
  span: Span | null
  parent: Context
}

/**
 * Traces with the app's OpenTelemetry SDK: one CLIENT span per attempt, and its context in the headers exactly once, whatever the
 * client sent and whatever else instruments undici. Made only where a propagator is registered.
 */
export class Tracing {
  readonly #tracer: Tracer
  /** The propagator's headers, which the client's must not stand beside. */
  readonly #fields: readonly string[]
  readonly #traced = new WeakMap<ProxyExchange, Traced>()

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
    const { request } = exchange
    const active = context.active()
    const isActive = trace.getSpan(active) !== undefined
    const parent = isActive ? active : propagation.extract(ROOT_CONTEXT, request.headers)
    this.#traced.set(exchange, { span: null, parent })
    const spanContext = trace.getSpanContext(parent)
    // A caller who is not followed has no say in our lines either.
    if (spanContext === undefined || (!isActive && exchange.isTraceRestarted)) return
    exchange.trace = placeOf(spanContext)
  }

  /** Begins the span of an attempt and puts its context into the headers. */
  begin (exchange: ProxyExchange, headers: Record<string, string | string[]>, attempt: number): void {
    // What is sent, which may be another than was received.
    const { method } = exchange.outgoing!
    const traced = this.#traced.get(exchange)!
    // A hook may have opened a span since.
    const active = context.active()
    const found = trace.getSpan(active) === undefined ? traced.parent : active
    const { parent, links } = exchange.isTraceRestarted ? restarted(found) : { parent: found, links: [] }
    const span = this.#tracer.startSpan(method, { kind: SpanKind.CLIENT, links, attributes: { 'http.request.method': method, 'url.scheme': 'http' } }, parent)
    if (attempt > 1) span.setAttribute('http.request.resend_count', attempt - 1)
    traced.span = span
    if (exchange.trace === null) enter(exchange, span.spanContext())
    for (const field of this.#fields) delete headers[field]
    if (exchange.isTraceRestarted) delete headers['baggage']
    propagation.inject(trace.setSpan(parent, span), headers)
  }

  /** Sends in a context in which no other instrumentation records or injects a second time. */
  dispatch (attempt: Attempt & Dispatcher.DispatchHandler, options: Dispatcher.DispatchOptions): void {
    const { endpoint } = attempt
    const exchange = attempt.exchange as ProxyExchange
    const span = this.#traced.get(exchange)?.span
    if (span !== undefined && span !== null) {
      const url = new URL(endpoint.origin) // once per attempt, and only when it is traced
      span.setAttributes({
        'url.scheme': url.protocol.slice(0, -1),
        'server.address': url.hostname.replace(/^\[|\]$/g, ''),
        'server.port': Number(url.port || (url.protocol === 'https:' ? 443 : 80)),
        'url.full': endpoint.origin + options.path.split('?', 1)[0]!,
        'sluice.route': exchange.route.id,
        'sluice.upstream': exchange.upstream.name,
        'sluice.endpoint': endpoint.origin,
        'sluice.variant': exchange.variant
      })
    }
    context.with(context.active().setValue(suppressed, true), () => endpoint.pool.dispatch(options, attempt))
  }

  /** The attempt is over: its last byte, or its error. */
  end (attempt: Attempt): void {
    const traced = this.#traced.get(attempt.exchange as ProxyExchange)
    const span = traced?.span
    if (span === undefined || span === null) return
    traced!.span = null
    if (attempt.statusCode > 0) span.setAttribute('http.response.status_code', attempt.statusCode)
    const { error } = attempt
    // A client that leaves is no error of the upstream's.
    if (error !== null && error.side !== 'client') {
      span.setAttribute('error.type', error.error)
      span.setStatus({ code: SpanStatusCode.ERROR, message: error.error })
    } else if (attempt.statusCode >= 400) {
      span.setAttribute('error.type', String(attempt.statusCode))
      span.setStatus({ code: SpanStatusCode.ERROR })
    }
    span.end()
  }

  /** The exchange ended between the beginning of a span and its attempt. */
  discard (exchange: ProxyExchange): void {
    const traced = this.#traced.get(exchange)
    if (traced === undefined || traced.span === null) return
    traced.span.end()
    traced.span = null
  }
}

function placeOf ({ traceId, spanId }: SpanContext): ProxyExchange['trace'] {
  return { traceId, spanId, flags: '00', state: null }
}

/** With nobody to follow, the trace begins with the first attempt: the exchange's lines have its ids from here on. */
function enter (exchange: ProxyExchange, spanContext: SpanContext): void {
  // A propagator without a tracer: spans that are none.
  if (!isSpanContextValid(spanContext)) return
  const { request, reply } = exchange
  exchange.trace = placeOf(spanContext)
  request.log = reply.log = request.log.child({ trace_id: spanContext.traceId, span_id: spanContext.spanId })
}

/** A new trace that says which one it came from. */
function restarted (parent: Context): { parent: Context, links: Link[] } {
  const span = trace.getSpanContext(parent)
  return { parent: ROOT_CONTEXT, links: span === undefined ? [] : [{ context: span }] }
}
