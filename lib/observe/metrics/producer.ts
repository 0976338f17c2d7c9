import { hasSubscribers } from 'node:diagnostics_channel'
import type { MetricsProducer } from '../../../types/metrics.ts'
import { version } from '../../version.ts'
import type { Definition } from './catalog.ts'
import { collect, inSlices } from './collect.ts'
import { countOrigins, type OriginCounts } from './gauges.ts'
import type { Histogram } from './histogram.ts'
import { readRequestKey } from './keys.ts'
import type { Recorder } from './recorder.ts'
import type { Sample } from './sample.ts'
import { errors, methods } from './words.ts'

/** Seconds and nanoseconds since 1970. */
type Moment = [seconds: number, nanoseconds: number]

interface DataPoint {
  readonly startTime: Moment
  readonly endTime: Moment
  readonly attributes: Readonly<Record<string, string | number>>
  readonly value: unknown
}

/** @opentelemetry/sdk-metrics' MetricData, as far as it is used: plain data, so that the SDK is no dependency. */
interface MetricData {
  readonly descriptor: { readonly name: string, readonly description: string, readonly unit: string, readonly valueType: number, readonly type: string, readonly advice: object }
  /** 1 is cumulative. */
  readonly aggregationTemporality: 1
  readonly dataPointType: number
  readonly isMonotonic?: boolean
  readonly dataPoints: DataPoint[]
}

type Kind = Definition['type'] | 'updown'

/** The numbers of DataPointType; the API has no name for what is already aggregated. */
const kinds = {
  counter: { dataPointType: 3, isMonotonic: true, type: 'COUNTER' },
  updown: { dataPointType: 3, isMonotonic: false, type: 'UP_DOWN_COUNTER' },
  gauge: { dataPointType: 2, isMonotonic: undefined, type: 'GAUGE' },
  histogram: { dataPointType: 0, isMonotonic: undefined, type: 'HISTOGRAM' }
} as const

function metricData (name: string, description: string, unit: string, kind: Kind): MetricData {
  const { dataPointType, isMonotonic, type } = kinds[kind]
  const descriptor = { name, description, unit, valueType: 1, type, advice: {} }
  return { descriptor, aggregationTemporality: 1, dataPointType, ...(isMonotonic === undefined ? {} : { isMonotonic }), dataPoints: [] }
}

/** What an SDK's metric reader collects beside its own; what fails is reported to it, and to nobody else. */
export function createProducer (recorder: Recorder): MetricsProducer {
  const startTime = moment(performance.timeOrigin + performance.now())
  return {
    async collect () {
      const metrics: MetricData[] = []
      const problems: unknown[] = []
      const endTime = moment(performance.timeOrigin + performance.now())
      try {
        await collect(recorder, {
          begin: ({ name, help, type }) => { metrics.push(metricData(dotted(name), help, unitOf(name), type)) },
          sample: (sample, { labels }) => {
            const attributes = Object.fromEntries(labels.map((label, index) => [label, sample.labels[index]!]))
            metrics.at(-1)!.dataPoints.push({ startTime, endTime, attributes, value: valueOf(sample) })
          }
        })
        metrics.push(...await inSlices(conventional(recorder, startTime, endTime)))
      } catch (error) {
        problems.push(error)
      }
      // The reader puts its own resource in the place of this one.
      return { resourceMetrics: { resource: undefined, scopeMetrics: [{ scope: { name: 'fastify-sluice', version }, metrics }] }, errors: problems }
    }
  }
}

function valueOf ({ value, histogram }: Sample): unknown {
  return histogram === null ? value : histogramOf(histogram)
}

function histogramOf ({ bounds, counts, sum, count }: Histogram): object {
  return { buckets: { boundaries: Array.from(bounds, (bound) => bound / 1e6), counts: [...counts] }, sum, count }
}

/** sluice_request_duration_seconds → sluice.request.duration */
function dotted (name: string): string {
  return name.replace(/(_total|_seconds|_ratio)+$/, '').replaceAll('_', '.')
}

function unitOf (name: string): string {
  if (name.includes('_seconds')) return 's'
  return name.includes('_bytes') ? 'By' : '1'
}

function moment (milliseconds: number): Moment {
  const seconds = Math.floor(milliseconds / 1000)
  return [seconds, Math.round((milliseconds - seconds * 1000) * 1e6)]
}

/** The stable names of the semantic conventions for HTTP clients. Several upstreams may have one origin: their points are one. */
function * conventional (recorder: Recorder, startTime: Moment, endTime: Moment): Generator<void, MetricData[]> {
  const durations = metricData('http.client.request.duration', 'Duration of HTTP client requests.', 's', 'histogram')
  const open = metricData('http.client.open_connections', 'Number of outbound HTTP connections that are currently active or idle on the client.', '{connection}', 'updown')
  const active = metricData('http.client.active_requests', 'Number of active HTTP requests.', '{request}', 'updown')
  const byOrigin = new Map<string, { attributes: DataPoint['attributes'], histogram: Histogram }>()
  const counts = new Map<string, OriginCounts>()
  for (const { endpoints, upstream } of recorder.upstreams.values()) {
    for (const { address, port, clientDurations } of endpoints.values()) {
      for (const [key, histogram] of clientDurations ?? []) {
        const name = `${address} ${port} ${key}`
        const known = byOrigin.get(name)
        if (known === undefined) byOrigin.set(name, { attributes: { ...placeOf(address, port), ...attributesOf(key) }, histogram })
        else byOrigin.set(name, { ...known, histogram: known.histogram.plus(histogram) })
      }
      yield
    }
    countOrigins(upstream, counts)
    yield
  }
  for (const { attributes, histogram } of byOrigin.values()) {
    durations.dataPoints.push({ startTime, endTime, attributes, value: histogramOf(histogram) })
    yield
  }
  for (const { address, port, busy, idle, active: requests } of counts.values()) {
    const where = placeOf(address, port)
    open.dataPoints.push({ startTime, endTime, attributes: { ...where, 'http.connection.state': 'active' }, value: busy })
    open.dataPoints.push({ startTime, endTime, attributes: { ...where, 'http.connection.state': 'idle' }, value: idle })
    active.dataPoints.push({ startTime, endTime, attributes: where, value: requests })
  }
  // @opentelemetry/instrumentation-undici measures the same, in a scope of its own: twice would be double.
  return hasSubscribers('undici:request:create') ? [open, active] : [durations, open, active]
}

function placeOf (address: string, port: number | null): Record<string, string | number> {
  return port === null ? { 'server.address': address } : { 'server.address': address, 'server.port': port }
}

function attributesOf (key: number): Record<string, string | number> {
  const [method, error, code] = readRequestKey(key)
  const attributes: Record<string, string | number> = { 'http.request.method': method === methods.list.length - 1 ? '_OTHER' : methods.list[method]! }
  if (code !== 0) attributes['http.response.status_code'] = code
  if (error !== 0) attributes['error.type'] = errors.list[error]!
  else if (code >= 400) attributes['error.type'] = String(code)
  return attributes
}
