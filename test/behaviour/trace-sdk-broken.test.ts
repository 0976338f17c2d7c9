import assert from 'node:assert/strict'
import test, { after } from 'node:test'
import { context, diag, DiagLogLevel, propagation, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { BasicTracerProvider, SamplingDecision } from '@opentelemetry/sdk-trace-base'
import { answer, drip, origin, refusedPort, reset } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

/*
 * An SDK of the app's that throws wherever it can: no client may notice, and the SDK is told where it wants to be told.
 */

const parts = ['onStart', 'onEnd', 'sampler', 'inject', 'extract'] as const
let broken: typeof parts[number] | null = null
let thrown = 0

function breakIf (part: typeof parts[number]): void {
  if (broken !== part) return
  thrown++
  throw new Error(`${part} is broken`)
}

const told: unknown[] = []
let isDeaf = false
const silent = (): void => {}
diag.setLogger({
  error: (_message, error) => {
    told.push(error)
    if (isDeaf) throw new Error('the logger too')
  },
  warn: silent,
  info: silent,
  debug: silent,
  verbose: silent
}, DiagLogLevel.ERROR)
const contexts = new AsyncLocalStorageContextManager().enable()
context.setGlobalContextManager(contexts)
const w3c = new W3CTraceContextPropagator()
propagation.setGlobalPropagator({
  fields: () => w3c.fields(),
  inject: (...args) => { breakIf('inject'); w3c.inject(...args) },
  extract: (...args) => { breakIf('extract'); return w3c.extract(...args) }
})
const provider = new BasicTracerProvider({
  sampler: { shouldSample: () => { breakIf('sampler'); return { decision: SamplingDecision.RECORD_AND_SAMPLED } } },
  spanProcessors: [{
    onStart: () => breakIf('onStart'),
    onEnd: () => breakIf('onEnd'),
    forceFlush: async () => {},
    shutdown: async () => {}
  }]
})
trace.setGlobalTracerProvider(provider)
after(async () => {
  for (const api of [trace, propagation, context, diag]) api.disable()
  contexts.disable()
  await provider.shutdown()
})

for (const part of parts) {
  test(`an SDK whose ${part} throws changes nothing for clients`, async (t) => {
    const upstream = await origin(t, answer(200, 'ok'), drip(['a', 'b'], 5), reset(), answer(404, 'no'))
    const well = await origin(t, answer(200, 'well'))
    const app = await start(t, {
      upstreams: { one: upstream.url, down: `http://127.0.0.1:${await refusedPort()}`, both: { endpoints: [`http://127.0.0.1:${await refusedPort()}`, well.url], balancer: 'round-robin' } },
      routes: [{ url: '/one', upstream: 'one', retry: false }, { url: '/down', upstream: 'down' }, { url: '/both', upstream: 'both' }, { url: '/edge', upstream: 'one', trace: 'restart' }]
    })
    broken = part
    t.after(() => { broken = null })
    thrown = told.length = 0
    const headers = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' }

    const answers: [number, string | null][] = []
    for (const path of ['/one', '/one', '/one', '/one', '/down', '/both', '/edge']) {
      isDeaf = path === '/edge'
      const { status, body } = await app.get(path, headers)
      answers.push([status, status === 502 ? null : body])
      await app.line()
    }

    assert.deepEqual(answers, [[200, 'ok'], [200, 'ab'], [502, null], [404, 'no'], [502, null], [200, 'well'], [404, 'no']])
    assert.ok(thrown >= 7, `${thrown}`)
    assert.equal(told.length, thrown)
    // Of a client that is not followed, nothing goes on, whatever became of the trace of our own.
    assert.ok(!String(upstream.requests.at(-1)!.headers['traceparent']).includes('4bf92f3577b34da6a3ce929d0e0e4736'))
    await app.app.close()
  })
}
