import type { IncomingMessage } from 'node:http'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import type { TraceContext } from '../model/exchange.ts'
import { LazyLogger } from '../model/lazy-logger.ts'
import type { Forwarder } from './forwarder.ts'
import { readTrace } from './transform/trace-context.ts'

type ChildLoggerFactory = NonNullable<FastifyInstance['childLoggerFactory']>

/** Where the trace waits between the making of a request's logger and the opening of its exchange. */
const kTrace = Symbol('sluice.trace')

interface Traced extends IncomingMessage { [kTrace]?: TraceContext | null }

/**
 * Puts trace_id and span_id into the logger that Fastify makes for a request anyway: a child of the child would cost as much as
 * writing a line. Where the trace depends on a request that does not exist yet (a `trust` function) or on an SDK's active span,
 * that is done when the exchange is opened.
 * @param mode of traces that need nothing but the head; null for those that do, and where there are none
 */
export function traceLoggerFactory (forwarder: Forwarder, mode: 'participate' | 'passthrough' | 'restart' | null, inner: ChildLoggerFactory): ChildLoggerFactory {
  // One of the app's own may do more than it is asked for.
  const canWait = inner.name === 'defaultChildLoggerFactory'
  return function childLogger (this: FastifyInstance, logger, bindings, options, raw) {
    if (forwarder.tracing === null && mode !== null) {
      const request = raw as Traced
      const trace = readTrace(request.headers, mode, mode === 'restart')
      request[kTrace] = trace
      if (trace !== null) {
        bindings['trace_id'] = trace.traceId
        bindings['span_id'] = trace.spanId
      }
    }
    // A route's own level or serializers come as options.
    if (canWait && isEmpty(options)) return new LazyLogger(logger, bindings as Record<string, unknown>) as unknown as FastifyBaseLogger
    return inner.call(this, logger, bindings, options, raw)
  } as ChildLoggerFactory
}

function isEmpty (options: object): boolean {
  let count = 0
  for (const name in options) count += name.length
  return count === 0
}

/** The trace that is already in the request's logger. */
export function takeTrace (raw: IncomingMessage): TraceContext | null {
  return (raw as Traced)[kTrace] ?? null
}

export function isLogged (raw: IncomingMessage): boolean {
  return (raw as Traced)[kTrace] !== undefined
}

const levels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const

const emptyFunction = /^function\s*[\w$]*\s*\(\)\s*\{\s*\}$/

/**
 * Fastify's `logger: false`, to which nothing needs to be said: it inherits one empty function for every level
 * (test/contract/fastify.test.ts). That it is its own child, too, tells nothing: loggers of apps are, and want every line.
 */
export function isSilent (log: FastifyBaseLogger): boolean {
  const { info } = log
  if (Object.hasOwn(log, 'info') || 'level' in log) return false
  return levels.every((level) => log[level] === info) && emptyFunction.test(Function.prototype.toString.call(info))
}
