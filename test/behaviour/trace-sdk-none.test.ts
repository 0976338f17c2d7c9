import assert from 'node:assert/strict'
import test from 'node:test'
import { propagation, trace } from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { BasicTracerProvider } from '@opentelemetry/sdk-trace-base'
import { values } from '../helpers/client.ts'
import { answer, origin } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'
import { parse, Spans } from './trace-sdk.ts'

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const caller = { traceparent: `00-${traceId}-00f067aa0ba902b7-01`, tracestate: 'a=1', baggage: 'user=ann' }

test('without an SDK the proxy takes part in the trace by itself', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url })

  await app.get('/x', caller)
  const line = await app.line()

  const { rawHeaders } = upstream.requests[0]!
  const { traceId: sent, spanId } = parse(values(rawHeaders, 'traceparent').join())
  assert.equal(sent, traceId)
  assert.deepEqual([line['trace_id'], line['span_id']], [traceId, spanId])
  assert.deepEqual(['tracestate', 'baggage'].map((name) => values(rawHeaders, name)), [['a=1'], ['user=ann']])
})

test('a tracer without a propagator is not asked for spans: there would be no way to pass them on', async (t) => {
  const spans = new Spans()
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [spans] }))
  t.after(() => { trace.disable() })
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url })

  await app.get('/x', caller)

  assert.equal(parse(upstream.requests[0]!.headers['traceparent']).traceId, traceId)
  assert.equal(spans.started, 0)
})

test('a propagator without a tracer passes the caller\'s own context on', async (t) => {
  propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  t.after(() => { propagation.disable() })
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url })

  await app.get('/traced', caller)
  await app.get('/untraced')

  assert.equal(upstream.requests[0]!.headers['traceparent'], caller.traceparent)
  assert.equal(upstream.requests[1]!.headers['traceparent'], undefined)
})
