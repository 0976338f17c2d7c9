import { Readable } from 'node:stream'
import type { FastifyBaseLogger } from 'fastify'
import type { MetricsProducer, MetricsRegistry, MetricsReply, ProxyMetrics } from '../../../types/metrics.ts'
import { eachInTime } from './collect.ts'
import { contentType, printed, textOf } from './prometheus.ts'
import { createProducer } from './producer.ts'
import type { Recorder } from './recorder.ts'
import { registerAll, unregisterAll } from './registry.ts'
import { Worker } from './worker.ts'

/** `app.proxy.metrics`. */
export class Metrics implements ProxyMetrics {
  readonly contentType: string = contentType
  readonly #recorder: Recorder
  readonly #log: FastifyBaseLogger
  readonly #worker: Worker | null
  readonly #registries = new Set<MetricsRegistry>()
  #isClosed = false

  constructor (recorder: Recorder, log: FastifyBaseLogger) {
    this.#recorder = recorder
    this.#log = log
    this.#worker = Worker.join(recorder)
  }

  /** Bound to itself: Fastify calls it as its own. */
  readonly handler = async (_request: unknown, reply: MetricsReply): Promise<unknown> => {
    const pieces = await this.#worker?.askPrimary() ?? await printed(this.#recorder)
    reply.header('content-type', contentType)
    reply.header('cache-control', 'no-store')
    // As a stream: many megabytes in one go would hold up all others.
    return reply.send(Readable.from(eachInTime<string | Buffer>(pieces), { objectMode: false }))
  }

  prometheus (): Promise<string> {
    return printed(this.#recorder).then(textOf)
  }

  register (registry: MetricsRegistry): void {
    if (this.#isClosed) return
    this.#registries.add(registry)
    registerAll(this.#recorder, registry, this.#log)
  }

  producer (): MetricsProducer {
    this.#recorder.hasProducer = true
    return createProducer(this.#recorder)
  }

  close (): void {
    this.#isClosed = true
    for (const registry of this.#registries) unregisterAll(this.#recorder, registry)
    this.#worker?.leave(this.#recorder)
  }
}
