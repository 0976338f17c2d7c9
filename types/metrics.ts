import type { Readable } from 'node:stream'

/** `fastify.proxy.metrics`: what the gateway counts, and those who read it. Readers are pulled; none of them costs a request anything. */
export interface ProxyMetrics {
  /** Content-Type of `prometheus()`. */
  readonly contentType: string
  /**
   * Answers with `prometheus()`. Mount it behind auth of your own: `app.get('/metrics', { onRequest: auth }, app.proxy.metrics.handler)`.
   * In a worker of `node:cluster` whose primary has called `gatherMetrics()`, it answers for all workers.
   */
  readonly handler: (request: unknown, reply: MetricsReply) => Promise<unknown>
  /** Everything, in Prometheus' text format 0.0.4. */
  prometheus (): Promise<string>
  /**
   * Registers everything in a registry of prom-client or @prometheus-io/client, whose own readers and aggregation then have it too, until
   * the app is closed. Several apps may share one registry: series that they have alike are one, counters and histograms summed, gauges
   * summed or the worst of them. Twice for one app is once. What the registry refuses is logged, and left out.
   */
  register (registry: MetricsRegistry): void
  /** A metric producer for OpenTelemetry: `new PeriodicExportingMetricReader({ exporter, metricProducers: [app.proxy.metrics.producer()] })`. */
  producer (): MetricsProducer
}

/** As much of Fastify's reply as is used, of HTTP/1.1 and HTTP/2 alike. */
export interface MetricsReply {
  header (name: string, value: string): unknown
  send (payload: Readable): unknown
}

/** As much of a registry as is used; without the last two, the metrics of an app that has closed stay in it, empty. */
export interface MetricsRegistry {
  registerMetric (metric: any): void
  readonly contentType?: string
  getSingleMetric? (name: string): any
  removeSingleMetric? (name: string): void
}

/** As `MetricProducer` of @opentelemetry/sdk-metrics wants it. */
export interface MetricsProducer {
  collect (options?: { timeoutMillis?: number }): Promise<any>
}

/** All workers of a `node:cluster` together, in its primary. */
export interface GatheredMetrics {
  readonly contentType: string
  /** Counters and histograms summed, gauges summed or the worst of them; of the workers that answer within a second. */
  prometheus (): Promise<string>
  /** No more messages are answered. */
  close (): void
}
