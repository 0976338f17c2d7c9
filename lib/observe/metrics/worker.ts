import cluster from 'node:cluster'
import process from 'node:process'
import { unawaited } from '../../model/unawaited.ts'
import { eachInTime, inSlices } from './collect.ts'
import { mergeInto, merging, type Told, tell, tellLasting } from './exchanged.ts'
import type { Recorder } from './recorder.ts'

/** What goes between a worker and its primary. Others send messages too: ours have a name in `sluice`. */
export type Message =
  | { sluice: 'present' }
  /** None of its apps is open any more. */
  | { sluice: 'absent' }
  | { sluice: 'tell', id: number }
  /** Metric by metric: one message of all would hold up both sides. */
  | { sluice: 'told', id: number, told: Told, isLast: boolean }
  | { sluice: 'ask', id: number }
  | { sluice: 'answer', id: number, text: string, isLast: boolean }

/** ms that a worker waits for the primary, which itself waits a second for the others. */
const PATIENCE = 2000

/** The worker of this process; null while it has no app. */
let current: Worker | null = null

/**
 * A worker's side: tells the primary what its apps have counted, and asks it what all have. One for all apps, since the primary hears
 * processes, not apps.
 */
export class Worker {
  readonly #recorders = new Set<Recorder>()
  readonly #asked = new Map<number, (text: string, isLast: boolean) => void>()
  /** Counts of apps that have closed while others go on: counters must not shrink. */
  #past: Told = {}
  #hasPrimary = false
  #id = 0

  /** null where this process is no worker of a node:cluster. */
  static join (recorder: Recorder): Worker | null {
    if (!cluster.isWorker) return null
    current ??= new Worker()
    current.#recorders.add(recorder)
    return current
  }

  private constructor () {
    process.on('message', this.#onMessage)
    send({ sluice: 'present' })
  }

  /** What all workers have counted; null where the primary gathers nothing, or does not answer in time. */
  async askPrimary (): Promise<readonly string[] | null> {
    if (!this.#hasPrimary) return null
    const id = ++this.#id
    return new Promise((resolve) => {
      const timer = setTimeout(settle, PATIENCE, null)
      const asked = this.#asked
      const pieces: string[] = []
      function settle (answer: readonly string[] | null): void {
        clearTimeout(timer)
        asked.delete(id)
        resolve(answer)
      }
      asked.set(id, (text, isLast) => {
        pieces.push(text)
        if (isLast) settle(pieces)
      })
      send({ sluice: 'ask', id })
    })
  }

  async #tell (id: number): Promise<void> {
    const all: Told = {}
    mergeInto(all, this.#past)
    for (const recorder of [...this.#recorders]) await inSlices(merging(all, await tell(recorder)))
    const told = Object.entries(all)
    let left = told.length
    for await (const [name, family] of eachInTime(told)) send({ sluice: 'told', id, told: { [name]: family }, isLast: --left === 0 })
  }

  /** An app has closed; with the last of them this process has nothing to tell any more. */
  leave (recorder: Recorder): void {
    if (!this.#recorders.delete(recorder)) return
    if (this.#recorders.size > 0) {
      mergeInto(this.#past, tellLasting(recorder))
      return
    }
    process.off('message', this.#onMessage)
    send({ sluice: 'absent' })
    current = null
  }

  readonly #onMessage = (message: Message): void => {
    switch (message?.sluice) {
      case 'present':
        // The answer to ours, or a primary that began to gather after us.
        if (!this.#hasPrimary) send({ sluice: 'present' })
        this.#hasPrimary = true
        break
      case 'tell':
        unawaited('telling what was counted', this.#tell(message.id))
        break
      case 'answer':
        this.#asked.get(message.id)?.(message.text, message.isLast)
    }
  }
}

/** A primary that is gone is no reason to fail: the callback takes the error. */
function send (message: Message): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => {})
}
