import { connect, type Socket } from 'node:net'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { small } from '../answers.ts'

/*
 * A load of a constant rate, in a process of its own: GETs go out when they are due, whether or not those before are answered. Latency is counted from when a
 * request was due, not from when it could be sent, so that a stall is seen by all who would have come meanwhile (coordinated omission).
 *
 * It naps for some ten microseconds at a time, since timers know whole milliseconds, which is as much as what is measured. Nothing is allocated per
 * request but by Node's sockets. What this process and the origin add by themselves is in the figures of the origin without a proxy.
 */

export interface Asked {
  readonly port: number
  /** Requests per second. */
  readonly rate: number
  readonly seconds: number
  /** Seconds before that are not counted. */
  readonly warm: number
  readonly connections: number
  /** Seconds that are counted apart from those that follow; 0 for none. */
  readonly split: number
  /** When it begins, as a date in milliseconds; 0 for at once. */
  readonly at: number
}

/** Milliseconds, from when a request was due. */
export interface Quantiles {
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly max: number
}

export interface Answered {
  readonly requests: number
  readonly failures: number
  readonly all: Quantiles
  readonly before: Quantiles
  readonly after: Quantiles
}

const { port, rate, seconds, warm, connections, split, at } = JSON.parse(process.argv[2]!) as Asked
const interval = 1000 / rate
const uncounted = Math.ceil(rate * warm)
const total = uncounted + Math.ceil(rate * seconds)
/** Milliseconds; the kernel makes some more of it. */
const nap = 0.02
const latencies = new Float64Array(total)
const message = Buffer.from(`GET /small HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`)
const headEnd = Buffer.from('\r\n\r\n')
const statusAt = 'HTTP/1.1 '.length

let beganAt = 0
let next = 0
let answered = 0
let failures = 0
const free: Line[] = []
const cell = new Int32Array(new SharedArrayBuffer(4))

class Line {
  readonly #socket: Socket
  /** Which request is under way. */
  #index = -1
  #received = 0
  #expected = 0

  constructor (connected: () => void) {
    const memory = Buffer.allocUnsafe(16_384)
    this.#socket = connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer: memory,
        callback: (length) => {
          this.#read(memory, length)
          return true
        }
      }
    })
    this.#socket.once('connect', connected)
    this.#socket.once('error', () => { this.#end() })
    this.#socket.once('close', () => { this.#end() })
  }

  send (index: number): void {
    this.#index = index
    this.#received = 0
    this.#expected = 0
    this.#socket.write(message)
  }

  #read (memory: Buffer, length: number): void {
    if (this.#received === 0) {
      const end = memory.indexOf(headEnd)
      if (end === -1 || end > length || memory[statusAt] !== 0x32) failures++
      this.#expected = end + headEnd.length + small.length
    }
    this.#received += length
    if (this.#received < this.#expected) return

    const now = performance.now() - beganAt
    latencies[this.#index] = now - this.#index * interval
    this.#index = -1
    answered++
    free.push(this)
    sendDue()
  }

  #end (): void {
    if (this.#index === -1) return
    this.#index = -1
    failures++
    answered++
  }
}

function sendDue (): void {
  const due = Math.min(total, (performance.now() - beganAt) / interval)
  // The one that has been free for longest: all are used, as by as many clients.
  while (next < due && free.length > 0) free.shift()!.send(next++)
}

function spin (): void {
  sendDue()
  // What is not answered by now is not waited for.
  const isLate = performance.now() - beganAt > (warm + seconds) * 1000 + 5000
  if (answered === total || isLate) return tell()

  // The origin has the same core, and is held up by whoever never leaves it.
  Atomics.wait(cell, 0, 0, nap)
  setImmediate(spin)
}

function tell (): void {
  failures += total - answered
  const border = uncounted + Math.ceil(rate * split)
  const result: Answered = { requests: total - uncounted, failures, all: quantiles(uncounted, total), before: quantiles(uncounted, border), after: quantiles(border, total) }
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit())
}

function quantiles (from: number, to: number): Quantiles {
  const sorted = latencies.subarray(from, to).toSorted()
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1) }
}

await new Promise<void>((resolve) => {
  let connected = 0
  for (let index = 0; index < connections; index++) {
    free.push(new Line(() => { if (++connected === connections) resolve() }))
  }
})
if (at > 0) await sleep(Math.max(0, at - Date.now()))
beganAt = performance.now()
spin()
