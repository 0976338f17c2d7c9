import type { FastifyBaseLogger } from 'fastify'
import type { TraceContext, ProxyExchange } from './exchange.ts'

type Line = unknown[]

/**
 * A request's logger that is made when somebody uses it. Most requests log nothing but their access line, which needs the bindings
 * alone, and making a child logger costs as much as printing that line. Whatever else a logger has (levels of its own, `bindings`,
 * symbols) is found in the made one; see below.
 */
export class LazyLogger {
  readonly parent: FastifyBaseLogger
  /** What every line of the request carries: its id, its trace. */
  readonly requestBindings: Record<string, unknown>
  #made: FastifyBaseLogger | null = null

  constructor (parent: FastifyBaseLogger, requestBindings: Record<string, unknown>) {
    this.parent = parent
    this.requestBindings = requestBindings
  }

  /** Whether nobody has used it: then its lines say what `requestBindings` say and no more, at the parent's level. */
  get isUnused (): boolean {
    return this.#made === null
  }

  /**
   * Lets every line carry more.
   * @returns false once it is made, and nothing can be added
   */
  add (bindings: Readonly<Record<string, unknown>>): boolean {
    if (this.#made !== null) return false
    Object.assign(this.requestBindings, bindings)
    return true
  }

  get made (): FastifyBaseLogger {
    this.#made ??= this.parent.child(this.requestBindings)
    return this.#made
  }

  // Methods, not found by the detour below: Fastify looks for each of them on the logger of every request.
  fatal (...line: Line): void { call(this.made, 'fatal', line) }
  error (...line: Line): void { call(this.made, 'error', line) }
  warn (...line: Line): void { call(this.made, 'warn', line) }
  info (...line: Line): void { call(this.made, 'info', line) }
  debug (...line: Line): void { call(this.made, 'debug', line) }
  trace (...line: Line): void { call(this.made, 'trace', line) }
  silent (...line: Line): void { call(this.made, 'silent', line) }

  child (...of: unknown[]): FastifyBaseLogger {
    return call(this.made, 'child', of) as FastifyBaseLogger
  }

  get level (): string {
    return this.#made === null ? this.parent.level : this.#made.level
  }

  set level (level: string) {
    this.made.level = level
  }
}

/** Lets every line of an exchange carry its trace from here on; where somebody has used its logger, by a child of that. */
export function bindTrace ({ request, reply }: ProxyExchange, { traceId, spanId }: Pick<TraceContext, 'traceId' | 'spanId'>): void {
  const bindings = { trace_id: traceId, span_id: spanId }
  const log: unknown = request.log
  if (!(log instanceof LazyLogger) || !log.add(bindings)) request.log = reply.log = request.log.child(bindings)
}

function call (logger: FastifyBaseLogger, name: string, line: unknown[]): unknown {
  return (logger as unknown as Record<string, (...line: unknown[]) => unknown>)[name]!(...line)
}

const everythingElse: ProxyHandler<object> = {
  get (_prototype, name, lazy: LazyLogger) {
    const value: unknown = Reflect.get(lazy.made, name)
    return typeof value === 'function' ? value.bind(lazy.made) : value
  },
  has (_prototype, name) {
    return name in Object.prototype
  }
}

Object.setPrototypeOf(LazyLogger.prototype, new Proxy(Object.prototype, everythingElse))
