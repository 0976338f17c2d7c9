import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { context, createContextKey, isSpanContextValid, propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { CompositePropagator, isTracingSuppressed, suppressTracing, W3CBaggagePropagator, W3CTraceContextPropagator } from '@opentelemetry/core'
import { BasicTracerProvider } from '@opentelemetry/sdk-trace-base'

/*
 * What lib/observe/tracing.ts leans on in the API of OpenTelemetry, and in an SDK where there is one.
 */

const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

/** As an app registers them, until the test is over. */
function registerSdk (t: TestContext): void {
  const contexts = new AsyncLocalStorageContextManager().enable()
  context.setGlobalContextManager(contexts)
  propagation.setGlobalPropagator(new CompositePropagator({ propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()] }))
  trace.setGlobalTracerProvider(new BasicTracerProvider())
  t.after(() => {
    trace.disable()
    propagation.disable()
    context.disable()
    contexts.disable()
  })
}

test('names no fields without a registered propagator, and those of the registered one', (t) => {
  assert.deepEqual(propagation.fields(), [])

  registerSdk(t)

  assert.deepEqual(propagation.fields().sort(), ['baggage', 'traceparent', 'tracestate'])
})

test('without an SDK nothing is active, nothing is read, and nothing is written', () => {
  const carrier = {}

  const extracted = propagation.extract(ROOT_CONTEXT, { traceparent })
  propagation.inject(extracted, carrier)

  assert.equal(context.active(), ROOT_CONTEXT)
  assert.equal(trace.getSpan(context.active()), undefined)
  assert.equal(trace.getSpanContext(extracted), undefined)
  assert.deepEqual(carrier, {})
})

test('a context key is the global symbol of its name, and tracing is suppressed by that of the SDK\'s', () => {
  const key = createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING')

  assert.equal(key, Symbol.for('OpenTelemetry SDK Context Key SUPPRESS_TRACING'))
  assert.equal(isTracingSuppressed(ROOT_CONTEXT.setValue(key, true)), true)
  assert.equal(suppressTracing(ROOT_CONTEXT).getValue(key), true)
})

test('where tracing is suppressed the SDK\'s tracer makes no valid span, and its propagators write nothing', (t) => {
  registerSdk(t)
  const extracted = propagation.extract(ROOT_CONTEXT, { traceparent, baggage: 'user=ann' })
  const suppressed = extracted.setValue(createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING'), true)
  const carriers: Record<string, string>[] = [{}, {}]

  const span = trace.getTracer('other').startSpan('GET', {}, suppressed)
  propagation.inject(suppressed, carriers[0])
  propagation.inject(extracted, carriers[1])

  assert.equal(isSpanContextValid(span.spanContext()), false)
  assert.deepEqual(carriers, [{}, { traceparent, baggage: 'user=ann' }])
})

test('reads Node\'s headers as they are: one traceparent, or none where Node has joined two', (t) => {
  registerSdk(t)
  const read = (value: string) => trace.getSpanContext(propagation.extract(ROOT_CONTEXT, { traceparent: value }))

  assert.equal(read(traceparent)?.spanId, '00f067aa0ba902b7')
  assert.equal(read(`${traceparent}, ${traceparent}`), undefined)
})

test('writes into a plain object of headers, over what is there', (t) => {
  registerSdk(t)
  const headers: Record<string, string | string[]> = { traceparent: 'old', host: 'a' }
  const span = trace.getTracer('proxy').startSpan('GET', {}, propagation.extract(ROOT_CONTEXT, { traceparent }))

  propagation.inject(trace.setSpan(ROOT_CONTEXT, span), headers)

  assert.deepEqual(headers, { traceparent: `00-4bf92f3577b34da6a3ce929d0e0e4736-${span.spanContext().spanId}-01`, host: 'a' })
  assert.notEqual(span.spanContext().spanId, '00f067aa0ba902b7')
  span.end()
})

test('a context that something runs in is active in what that starts, and no longer behind it', async (t) => {
  registerSdk(t)
  const key = createContextKey('of this test')
  let started = Promise.resolve<unknown>(null)

  context.with(ROOT_CONTEXT.setValue(key, 'inner'), () => {
    started = new Promise((resolve) => { setImmediate(() => { resolve(context.active().getValue(key)) }) })
  })

  assert.equal(context.active().getValue(key), undefined)
  assert.equal(await started, 'inner')
})

test('a span without a parent begins a trace, one with a parent from afar goes on in it', (t) => {
  registerSdk(t)
  const tracer = trace.getTracer('proxy')

  const alone = tracer.startSpan('GET', {}, ROOT_CONTEXT).spanContext()
  const below = tracer.startSpan('GET', {}, propagation.extract(ROOT_CONTEXT, { traceparent })).spanContext()

  assert.ok(isSpanContextValid(alone))
  assert.equal(below.traceId, '4bf92f3577b34da6a3ce929d0e0e4736')
  assert.notEqual(alone.traceId, below.traceId)
})
