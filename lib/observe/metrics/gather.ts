import cluster, { type Worker as Process } from 'node:cluster'
import type { GatheredMetrics } from '../../../types/metrics.ts'
import { type Told, mergeInto, print } from './exchanged.ts'
import { contentType } from './prometheus.ts'
import type { Message } from './worker.ts'

/** ms for a worker to tell what it has counted. */
const PATIENCE = 1000

/**
 * In the primary of a `node:cluster`: puts together what its workers count. From then on, `app.proxy.metrics.handler` in any worker
 * answers for all of them. Call it before the first `cluster.fork()`.
 */
export function gatherMetrics (): GatheredMetrics {
  return new Gathered()
}

class Gathered implements GatheredMetrics {
  readonly contentType = contentType
  /** Those that use the plugin, and what each told last. */
  readonly #present = new Map<Process, Told>()
  /** Who is told of an answer, or, with null, that none will come. */
  readonly #asked = new Map<number, (worker: Process, told: Told | null) => void>()
  /** Of workers that have ended: what only ever grows must not shrink with them. */
  readonly #past: Told = {}
  #id = 0

  constructor () {
    cluster.on('message', this.#onMessage)
    cluster.on('exit', this.#onExit)
    // Those who are there already.
    for (const worker of Object.values(cluster.workers ?? {})) tell(worker!, { sluice: 'present' })
  }

  async prometheus (): Promise<string> {
    await this.#ask()
    const all: Told = {}
    mergeInto(all, this.#past)
    for (const told of this.#present.values()) mergeInto(all, told)
    return print(all)
  }

  close (): void {
    cluster.off('message', this.#onMessage)
    cluster.off('exit', this.#onExit)
  }

  /** Who does not answer in time counts with what it told last. */
  #ask (): Promise<void> {
    const id = ++this.#id
    const missing = new Set(this.#present.keys())
    if (missing.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const settle = (): void => {
        clearTimeout(timer)
        this.#asked.delete(id)
        resolve()
      }
      const timer = setTimeout(settle, PATIENCE)
      this.#asked.set(id, (worker, told) => {
        if (told !== null && this.#present.has(worker)) this.#present.set(worker, told)
        missing.delete(worker)
        if (missing.size === 0) settle()
      })
      for (const worker of missing) tell(worker, { sluice: 'tell', id })
    })
  }

  readonly #onMessage = (worker: Process, message: Message): void => {
    switch (message?.sluice) {
      case 'present':
        if (this.#present.has(worker)) break
        this.#present.set(worker, {})
        tell(worker, { sluice: 'present' })
        break
      case 'told':
        this.#asked.get(message.id)?.(worker, message.told)
        break
      case 'ask':
        this.prometheus().then((text) => { tell(worker, { sluice: 'answer', id: message.id, text }) }, () => {})
    }
  }

  readonly #onExit = (worker: Process): void => {
    const told = this.#present.get(worker)
    if (told === undefined) return
    this.#present.delete(worker)
    mergeInto(this.#past, told, ({ type }) => type !== 'gauge')
    // Who asks now need not wait for it.
    for (const heard of this.#asked.values()) heard(worker, null)
  }
}

function tell (worker: Process, message: Message): void {
  if (worker.isConnected()) worker.send(message, undefined, () => {})
}
