import type { FastifyBaseLogger } from 'fastify'
import type { MetricsRegistry } from '../../../types/metrics.ts'
import type { Definition } from './catalog.ts'
import { collect } from './collect.ts'
import { type Counts, countsOf, merged } from './exchanged.ts'
import { families } from './families.ts'
import { labelPairs } from './prometheus.ts'
import type { Recorder } from './recorder.ts'

/** One value as prom-client and @prometheus-io/client hold it. */
interface Value {
  readonly metricName?: string
  readonly labels: Record<string, string | number>
  readonly value: number
}

/**
 * One metric of all apps that are in a registry, which takes one of each name. It looks like one of the registry's own: what they ask of
 * each other is these methods.
 */
class SharedMetric {
  readonly help: string
  readonly type: Definition['type']
  readonly aggregator: Definition['merge']
  readonly labelNames: readonly string[]
  readonly recorders: Set<Recorder> = new Set()
  readonly #definition: Definition
  readonly #registry: MetricsRegistry

  constructor (definition: Definition, registry: MetricsRegistry) {
    this.help = definition.help
    this.type = definition.type
    this.aggregator = definition.merge
    this.labelNames = definition.labels
    this.#definition = definition
    this.#registry = registry
  }

  get name (): string {
    return this.#definition.name
  }

  /** A registry of OpenMetrics takes `_total` off the counters that it reads, and would then not find them by their names. */
  set name (_name: string) {}

  /** Bound: the registries call some of them as their own. */
  readonly get = async (): Promise<object> => {
    const { name, help, type, aggregator } = this
    return { name, help, type, aggregator, values: await this.#read() }
  }

  readonly getForPromString = async (): Promise<object> => {
    const read = await this.get()
    // There the registry puts the suffix behind the name itself.
    const isOpen = this.type === 'counter' && String(this.#registry.contentType).includes('openmetrics')
    return isOpen ? { ...read, name: this.name.replace(/_total$/, '') } : read
  }

  /** Counters that go back to zero at somebody's wish are not ours to offer. */
  reset (): void {}

  async #read (): Promise<Value[]> {
    const values: Value[] = []
    const recorders = [...this.recorders]
    if (recorders.length === 1) {
      await this.#visit(recorders[0]!, (labels, value) => { values.push(...valuesOf(this.#definition, labels, value)) })
      return values
    }
    // Labels that apps have alike, such as an upstream's name, are one series: twice in one text they would be an error to Prometheus.
    const series = new Map<string, { labels: readonly string[], value: number | Counts }>()
    for (const recorder of recorders) {
      await this.#visit(recorder, (labels, value) => {
        const pairs = labelPairs(this.labelNames, labels)
        series.set(pairs, { labels, value: merged(series.get(pairs)?.value, value, this.aggregator) })
      })
    }
    for (const { labels, value } of series.values()) values.push(...valuesOf(this.#definition, labels, value))
    return values
  }

  #visit (recorder: Recorder, see: (labels: readonly string[], value: number | Counts) => void): Promise<void> {
    return collect(recorder, {
      begin: () => {},
      sample: ({ labels, value, histogram }) => { see(labels, histogram === null ? value : countsOf(histogram)) }
    }, this.#definition)
  }
}

/** Our metrics in each registry, by name. */
const shared = new WeakMap<MetricsRegistry, Map<string, SharedMetric>>()

/** Registers every metric of an app; those of apps that are there already stay. */
export function registerAll (recorder: Recorder, registry: MetricsRegistry, log: FastifyBaseLogger): void {
  let metrics = shared.get(registry)
  if (metrics === undefined) {
    metrics = new Map()
    shared.set(registry, metrics)
  }
  for (const { definition } of families) {
    const metric = metrics.get(definition.name) ?? new SharedMetric(definition, registry)
    // Somebody has cleared the registry, and all who were in it are gone.
    if (!isIn(registry, metric)) metric.recorders.clear()
    try {
      registry.registerMetric(metric)
      metric.recorders.add(recorder)
      metrics.set(definition.name, metric)
    } catch (err) {
      // It is the registry's, and no request's: the metric is left out.
      log.warn({ err, metric: definition.name }, 'a metric could not be registered')
    }
  }
}

/** Takes an app that has closed out of a registry, and with the last of them the metrics. */
export function unregisterAll (recorder: Recorder, registry: MetricsRegistry): void {
  for (const metric of shared.get(registry)?.values() ?? []) {
    if (!metric.recorders.delete(recorder) || metric.recorders.size > 0) continue
    try {
      if (isIn(registry, metric)) registry.removeSingleMetric?.(metric.name)
    } catch {
      // The registry's own affair: it reads nothing there any more, and the app closes all the same.
    }
  }
}

/** Also where it cannot be told. */
function isIn (registry: MetricsRegistry, metric: SharedMetric): boolean {
  return registry.getSingleMetric === undefined || registry.getSingleMetric(metric.name) === metric
}

function * valuesOf ({ name, labels: names, buckets }: Definition, given: readonly string[], value: number | Counts): Generator<Value> {
  const labels = Object.fromEntries(names.map((label, index) => [label, given[index]!]))
  if (!Array.isArray(value)) {
    yield { labels, value }
    return
  }
  let below = 0
  for (const [index, bound] of buckets.entries()) {
    below += value[index]!
    yield { metricName: `${name}_bucket`, labels: { ...labels, le: bound }, value: below }
  }
  const count = below + value[buckets.length]!
  yield { metricName: `${name}_bucket`, labels: { ...labels, le: '+Inf' }, value: count }
  yield { metricName: `${name}_sum`, labels, value: value[buckets.length + 1]! }
  yield { metricName: `${name}_count`, labels, value: count }
}
