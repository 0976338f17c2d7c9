import cluster from 'node:cluster'
import process from 'node:process'
import { type Told, tell } from './exchanged.ts'
import type { Recorder } from './recorder.ts'

/** What goes between a worker and its primary. Others send messages too: ours have a name in `sluice`. */
export type Message =
  | { sluice: 'present' }
  | { sluice: 'tell', id: number }
  | { sluice: 'told', id: number, told: Told }
  | { sluice: 'ask', id: number }
  | { sluice: 'answer', id: number, text: string }

/** ms that a worker waits for the primary, which itself waits a second for the others. */
const PATIENCE = 2000

/** A worker's side: tells the primary what it has counted, and asks it what all have. */
export class Worker {
  readonly #recorder: Recorder
  readonly #asked = new Map<number, (text: string | null) => void>()
  #hasPrimary = false
  #id = 0

  /** null where this process is no worker of a node:cluster. */
  static create (recorder: Recorder): Worker | null {
    return cluster.isWorker ? new Worker(recorder) : null
  }

  private constructor (recorder: Recorder) {
    this.#recorder = recorder
    process.on('message', this.#onMessage)
    send({ sluice: 'present' })
  }

  /** What all workers have counted; null where the primary gathers nothing, or does not answer in time. */
  async askPrimary (): Promise<string | null> {
    if (!this.#hasPrimary) return null
    const id = ++this.#id
    return new Promise((resolve) => {
      const timer = setTimeout(settle, PATIENCE, null)
      const asked = this.#asked
      function settle (text: string | null): void {
        clearTimeout(timer)
        asked.delete(id)
        resolve(text)
      }
      asked.set(id, settle)
      send({ sluice: 'ask', id })
    })
  }

  close (): void {
    process.off('message', this.#onMessage)
  }

  readonly #onMessage = (message: Message): void => {
    switch (message?.sluice) {
      case 'present':
        // The answer to ours, or a primary that began to gather after us.
        if (!this.#hasPrimary) send({ sluice: 'present' })
        this.#hasPrimary = true
        break
      case 'tell':
        tell(this.#recorder).then((told) => { send({ sluice: 'told', id: message.id, told }) }, () => {})
        break
      case 'answer':
        this.#asked.get(message.id)?.(message.text)
    }
  }
}

/** A primary that is gone is no reason to fail: the callback takes the error. */
function send (message: Message): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => {})
}
