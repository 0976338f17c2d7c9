import assert from 'node:assert/strict'
import test from 'node:test'
import { isSpanContextValid, TraceFlags, trace, type Context, type TextMapGetter, type TextMapPropagator, type TextMapSetter } from '@opentelemetry/api'
import { isTracingSuppressed } from '@opentelemetry/core'
import { raw, values } from '../helpers/client.ts'
import { answer, origin } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'
import { registerSdk } from './trace-sdk.ts'

/** A propagator that has nothing to do with W3C's; its fields are spelled as B3's are. */
class OtherPropagator implements TextMapPropagator {
  fields (): string[] {
    return ['X-Other-TraceId', 'X-Other-SpanId', 'X-Other-Flags']
  }

  inject (context: Context, carrier: unknown, setter: TextMapSetter): void {
    const span = trace.getSpanContext(context)
    if (span === undefined || !isSpanContextValid(span) || isTracingSuppressed(context)) return
    setter.set(carrier, 'X-Other-TraceId', span.traceId)
    setter.set(carrier, 'X-Other-SpanId', span.spanId)
  }

  extract (context: Context, carrier: unknown, getter: TextMapGetter): Context {
    const [traceId, spanId] = ['x-other-traceid', 'x-other-spanid'].map((name) => getter.get(carrier, name))
    if (traceId === undefined || spanId === undefined) return context
    return trace.setSpanContext(context, { traceId: String(traceId), spanId: String(spanId), traceFlags: TraceFlags.SAMPLED, isRemote: true })
  }
}

const { spans } = registerSdk(new OtherPropagator())

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const parent = '00f067aa0ba902b7'

test('the fields of any propagator are removed, whatever their case, and written once', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url })

  await raw(t, app.port, ['GET /x HTTP/1.1', 'Host: a', `x-OTHER-traceid: ${traceId}`, `x-other-spanid: ${parent}`, 'x-other-flags: debug', '', ''].join('\r\n'))

  const [span] = await spans.until(1)
  const { rawHeaders } = upstream.requests[0]!
  assert.deepEqual(
    ['x-other-traceid', 'x-other-spanid', 'x-other-flags'].map((name) => values(rawHeaders, name)),
    [[traceId], [span!.spanContext().spanId], []]
  )
  assert.equal(span!.parentSpanContext?.spanId, parent)
})

test('fields that are not of the registered propagator are passed on untouched', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url })
  const sent = { traceparent: `00-${traceId}-${parent}-01`, tracestate: 'a=1', baggage: 'user=ann' }

  await app.get('/x', sent)

  const { traceparent, tracestate, baggage } = upstream.requests[0]!.headers
  assert.deepEqual({ traceparent, tracestate, baggage }, sent)
})
