import { after, beforeEach } from 'node:test'
import { context, propagation, SpanKind, trace, type TextMapPropagator, type Tracer } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from '@opentelemetry/core'
import { BasicTracerProvider, type ReadableSpan, type SpanProcessor } from '@opentelemetry/sdk-trace-base'
import { Bell } from '../helpers/until.ts'

/** What the SDK of this process has been told of spans. */
export class Spans implements SpanProcessor {
  started = 0
  /** In the order in which they ended. */
  ended: ReadableSpan[] = []
  readonly #bell = new Bell()

  onStart (): void {
    this.started++
  }

  onEnd (span: ReadableSpan): void {
    this.ended.push(span)
    this.#bell.ring()
  }

  /** Of the proxy, not of whoever else makes spans here. */
  get ours (): ReadableSpan[] {
    return this.ended.filter((span) => span.instrumentationScope.name === 'fastify-sluice')
  }

  /** Resolves with the proxy's spans once `count` have ended. */
  async until (count: number): Promise<ReadableSpan[]> {
    await this.#bell.until(() => `${count} spans, got ${this.ours.length} of ${this.started}`, () => this.ours.length >= count)
    return this.ours
  }

  /** Those of the app's own instrumentation, once `count` have ended: a server's ends behind its response, not before the client has that. */
  async servers (count: number): Promise<ReadableSpan[]> {
    const seen = (): ReadableSpan[] => this.ended.filter(({ kind }) => kind === SpanKind.SERVER)
    await this.#bell.until(() => `${count} spans of the server, got ${seen().length}`, () => seen().length >= count)
    return seen()
  }

  forget (): void {
    this.started = 0
    this.ended = []
  }

  async forceFlush (): Promise<void> {}
  async shutdown (): Promise<void> {}
}

/** Registers an SDK for this whole process, as an app does before anything else, until the file's last test is over. */
export function registerSdk (propagator: TextMapPropagator = new CompositePropagator({ propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()] })): { spans: Spans, tracer: Tracer } {
  const spans = new Spans()
  const provider = new BasicTracerProvider({ spanProcessors: [spans] })
  const contexts = new AsyncLocalStorageContextManager().enable()
  context.setGlobalContextManager(contexts)
  propagation.setGlobalPropagator(propagator)
  trace.setGlobalTracerProvider(provider)
  beforeEach(() => { spans.forget() })
  after(async () => {
    trace.disable()
    propagation.disable()
    context.disable()
    contexts.disable()
    await provider.shutdown()
  })
  return { spans, tracer: trace.getTracer('app') }
}

/** `traceparent` in its parts. */
export function parse (traceparent: string | string[] | undefined): { traceId: string, spanId: string, flags: string } {
  const parts = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(String(traceparent))
  if (parts === null) throw new Error(`not one traceparent: ${String(traceparent)}`)
  return { traceId: parts[1]!, spanId: parts[2]!, flags: parts[3]! }
}
