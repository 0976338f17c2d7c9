import type { FastifyBaseLogger } from 'fastify'
import type { MetricsRegistry } from '../../../types/metrics.ts'
import type { Definition } from './catalog.ts'
import { collect } from './collect.ts'
import { families } from './families.ts'
import type { Recorder } from './recorder.ts'
import type { Sample } from './sample.ts'

/** One value as prom-client and @prometheus-io/client hold it. */
interface Value {
  readonly metricName?: string
  readonly labels: Record<string, string | number>
  readonly value: number
}

/** Registers every metric, as something that looks like one of the registry's own: what they ask of each other is these methods. */
export function registerAll (recorder: Recorder, registry: MetricsRegistry, log: FastifyBaseLogger): void {
  for (const { definition } of families) {
    try {
      registry.registerMetric(metricOf(recorder, definition))
    } catch (err) {
      // It is the registry's, and no request's: the metric is left out.
      log.warn({ err, metric: definition.name }, 'a metric could not be registered')
    }
  }
}

function metricOf (recorder: Recorder, definition: Definition): object {
  const { name, help, type, merge } = definition
  async function get (): Promise<object> {
    const values: Value[] = []
    await collect(recorder, {
      begin: () => {},
      sample: (sample) => { for (const value of valuesOf(definition, sample)) values.push(value) }
    }, definition)
    return { name, help, type, aggregator: merge, values }
  }
  return {
    name,
    help,
    type,
    aggregator: merge,
    labelNames: definition.labels,
    get,
    getForPromString: get,
    // Counters that go back to zero at somebody's wish are not ours to offer.
    reset: () => {}
  }
}

function * valuesOf ({ name, labels: names, buckets }: Definition, { labels: given, value, histogram }: Sample): Generator<Value> {
  const labels = Object.fromEntries(names.map((label, index) => [label, given[index]!]))
  if (histogram === null) {
    yield { labels, value }
    return
  }
  const { counts } = histogram
  let below = 0
  for (const [index, bound] of buckets.entries()) {
    below += counts[index]!
    yield { metricName: `${name}_bucket`, labels: { ...labels, le: bound }, value: below }
  }
  yield { metricName: `${name}_bucket`, labels: { ...labels, le: '+Inf' }, value: histogram.count }
  yield { metricName: `${name}_sum`, labels, value: histogram.sum }
  yield { metricName: `${name}_count`, labels, value: histogram.count }
}
