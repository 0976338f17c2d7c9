import assert from 'node:assert/strict'
import { availableParallelism, loadavg } from 'node:os'
import { test } from 'node:test'
import type { Readable } from 'node:stream'
import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from 'fastify'
import { inSlices } from '../../lib/observe/metrics/collect.ts'
import { merging, printing, tell, type Told } from '../../lib/observe/metrics/exchanged.ts'
import { Metrics } from '../../lib/observe/metrics/index.ts'
import { Recorder } from '../../lib/observe/metrics/recorder.ts'
import { printed, textOf } from '../../lib/observe/metrics/prometheus.ts'
import { registerAll } from '../../lib/observe/metrics/registry.ts'
import { createProducer } from '../../lib/observe/metrics/producer.ts'
import type { Route, Snapshot } from '../../types/index.ts'
import { Scrape } from '../helpers/metrics.ts'
import { attemptOf, endpointAt, exchangeWith, upstreamOf } from '../lib/samples.ts'

const log = { warn () { assert.fail('nothing is wrong') } } as unknown as FastifyBaseLogger

/** A thousand endpoints, each with some history. */
function thousand (): Recorder {
  const recorder = new Recorder('7')
  for (let number = 0; number < 10; number++) {
    const upstream = upstreamOf(`upstream${number}`, Array.from({ length: 100 }, (_, index) => endpointAt(`http://10.0.${number}.${index}:3000`)))
    recorder.onUpstream(upstream)
    for (const endpoint of upstream.state.endpoints) {
      for (const statusCode of [200, 404, 503]) recorder.onAttempt(attemptOf(exchangeWith(), { endpoint, statusCode, startedAt: 1, sentAt: 1, headAt: 2, endedAt: 3 }))
    }
  }
  return recorder
}

/** The worst of a thousand: each is the only one of its upstream, and each upstream one of four sides of a route. */
function spread (): Recorder {
  const recorder = new Recorder('7')
  recorder.hasProducer = true
  const routes = new Map<string, Route>()
  for (let number = 0; number < 250; number++) {
    const [stable, ...others] = Array.from({ length: 4 }, (_, side) => upstreamOf(`upstream${number}-${side}`, [endpointAt(`http://10.${side}.0.${number}:3000`)]))
    const canaries = others.map((upstream, side) => ({ name: `canary${side}`, upstream, fallbacks: 0 }))
    routes.set(`/${number}/*`, { id: `/${number}/*`, url: `/${number}/*`, upstream: stable, slow: 200, canaries } as unknown as Route)
    for (const upstream of [stable!, ...others]) recorder.onUpstream(upstream)
  }
  recorder.prepare({ revision: 1, routes, upstreams: new Map() } as unknown as Snapshot, 1)
  for (const route of routes.values()) {
    for (const canary of [null, ...route.canaries!]) {
      for (const statusCode of [200, 404, 503]) {
        const exchange = exchangeWith({ reply: { statusCode }, startedAt: 1 })
        const { upstream } = canary ?? route
        Object.assign(exchange, { route, canary, upstream, variantReason: canary === null ? null : 'weight', attempts: 1, attemptedAt: 2, endedAt: 9 })
        exchange.last = attemptOf(exchange, { endpoint: upstream.state.endpoints[0]!, statusCode, startedAt: 2, sentAt: 3, headAt: 4, endedAt: 5 })
        recorder.onAttempt(exchange.last)
        recorder.onExchange(exchange)
      }
    }
  }
  return recorder
}

/** Takes what the route sends as fast as it comes. */
async function served (recorder: Recorder): Promise<number> {
  const sent: Readable[] = []
  const reply = { header: () => reply, send: (stream: Readable) => { sent.push(stream); return reply } }
  await new Metrics(recorder, log).handler({} as FastifyRequest, reply as unknown as FastifyReply)
  let length = 0
  for await (const chunk of sent[0]!) length += (chunk as Buffer).length
  return length
}

/** What the workers of a node:cluster and their primary do. */
async function gathered (recorder: Recorder): Promise<void> {
  const all: Told = {}
  const told = await tell(recorder)
  for (let worker = 0; worker < 3; worker++) await inSlices(merging(all, told))
  await inSlices(printing(all))
}

for (const [name, read] of [
  ['a scrape', (recorder: Recorder) => printed(recorder).then(textOf)],
  ['a scrape by HTTP', served],
  ['a scrape of three workers', gathered],
  ['a scrape of a registry that asks for all metrics at once', async (recorder: Recorder) => {
    const metrics: { get (): Promise<object> }[] = []
    registerAll(recorder, { registerMetric: (metric) => { metrics.push(metric) } }, log)
    await Promise.all(metrics.map((metric) => metric.get()))
  }],
  ['an OpenTelemetry collection', (recorder: Recorder) => createProducer(recorder).collect()]
] as const) {
  for (const [what, make] of [['1,000 endpoints', thousand], ['1,000 endpoints of as many upstreams and sides', spread]] as const) {
    // A registry wants an object for each bucket, and an SDK one for each point, all at once: that many are V8's to carry about, whoever makes them.
    if (make === spread && (name.includes('registry') || name.includes('OpenTelemetry'))) continue
    test(`${name} at ${what} holds the event loop at most 10 ms at a time`, async () => {
      const recorder = make()
      await read(recorder)
      // By the processor's clock: a machine that does something else holds the loop too. The best of several runs, since V8 compiles and collects meanwhile.
      let best = Infinity
      for (let round = 0; round < 30 && best > 10; round++) {
        let longest = 0
        let last = process.cpuUsage()
        let isOver = false
        function look (): void {
          const { user, system } = process.cpuUsage(last)
          last = process.cpuUsage()
          longest = Math.max(longest, (user + system) / 1000)
          if (!isOver) setImmediate(look)
        }
        look()
        await read(recorder)
        isOver = true
        look()
        best = Math.min(best, longest)
      }

      // Where others use the cores and their caches, the same work costs up to three times as much; whole, it would be ten.
      const isBusy = loadavg()[0]! > availableParallelism()
      assert.ok(best <= (isBusy ? 30 : 10), `${best} ms`)
    })
  }
}

test('a scrape at 1,000 endpoints has all of them', async () => {
  const scrape = new Scrape(await textOf(await printed(thousand())))

  assert.equal(scrape.sum('sluice_endpoint_up'), 1000)
  assert.equal(scrape.sum('sluice_upstream_attempts_total'), 3000)
})
