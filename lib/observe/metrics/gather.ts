import cluster, { type Worker as Process } from 'node:cluster'
import type { GatheredMetrics } from '../../../types/metrics.ts'
import { unawaited } from '../../model/unawaited.ts'
import { eachInTime, inSlices } from './collect.ts'
import { type Told, mergeInto, merging, printing } from './exchanged.ts'
import { contentType, textOf } from './prometheus.ts'
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

/** A question to all workers. */
interface Asked {
  readonly missing: Set<Process>
  /** What has come of the answers that come in parts. */
  readonly arriving: Map<Process, Told>
  /** An answer is here, or will not come. */
  readonly heard: (worker: Process) => void
}

class Gathered implements GatheredMetrics {
  readonly contentType = contentType
  /** Those that use the plugin, and what each told last. */
  readonly #present = new Map<Process, Told>()
  readonly #asked = new Map<number, Asked>()
  /** Of workers that have ended: what only ever grows must not shrink with them. Another object with each: somebody may be reading. */
  #past: Told = {}
  #id = 0

  constructor () {
    cluster.on('message', this.#onMessage)
    cluster.on('exit', this.#onExit)
    // Those who are there already.
    for (const worker of Object.values(cluster.workers ?? {})) tell(worker!, { sluice: 'present' })
  }

  async prometheus (): Promise<string> {
    return textOf(await this.#printed())
  }

  /** In slices: this process hands connections to its workers meanwhile. */
  async #printed (): Promise<readonly Buffer[]> {
    await this.#ask()
    const all: Told = {}
    for (const told of [this.#past, ...this.#present.values()]) await inSlices(merging(all, told))
    return inSlices(printing(all))
  }

  async #answer (worker: Process, id: number): Promise<void> {
    for await (const piece of eachInTime(await this.#printed())) tell(worker, { sluice: 'answer', id, text: piece.toString(), isLast: false })
    tell(worker, { sluice: 'answer', id, text: '', isLast: true })
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
      const heard = (worker: Process): void => {
        missing.delete(worker)
        if (missing.size === 0) settle()
      }
      this.#asked.set(id, { missing, arriving: new Map(), heard })
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
      case 'absent':
        this.#leave(worker)
        break
      case 'told':
        this.#hear(worker, message)
        break
      case 'ask':
        unawaited('answering a worker', this.#answer(worker, message.id))
    }
  }

  #hear (worker: Process, { id, told, isLast }: Message & { sluice: 'told' }): void {
    const asked = this.#asked.get(id)
    if (asked === undefined || !this.#present.has(worker)) return
    const arrived = { ...asked.arriving.get(worker), ...told }
    asked.arriving.set(worker, arrived)
    if (!isLast) return
    this.#present.set(worker, arrived)
    asked.heard(worker)
  }

  readonly #onExit = (worker: Process): void => { this.#leave(worker) }

  #leave (worker: Process): void {
    const told = this.#present.get(worker)
    if (told === undefined) return
    this.#present.delete(worker)
    const past = { ...this.#past }
    for (const name in told) past[name] = { ...past[name] }
    mergeInto(past, told, ({ type }) => type !== 'gauge')
    this.#past = past
    // Who asks now need not wait for it.
    for (const { heard } of this.#asked.values()) heard(worker)
  }
}

function tell (worker: Process, message: Message): void {
  if (worker.isConnected()) worker.send(message, undefined, () => {})
}
