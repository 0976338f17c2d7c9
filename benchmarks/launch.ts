import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { cores } from './cores.ts'
import { scratch } from './scratch.ts'

/** Long enough for `go build` on a cold cache, short enough to notice a contender that never listens. */
const readyTimeout = 90_000
const stopTimeout = 2_000

const running = new Set<Launched>()

// The last chance to leave nothing behind: after a failure, a signal or a plain end alike.
process.once('exit', () => {
  for (const launched of running) launched.kill('SIGKILL')
})
process.once('SIGINT', () => process.exit(130))
process.once('SIGTERM', () => process.exit(143))
process.once('SIGHUP', () => process.exit(129))

/** A process that listens on `port`, with all the processes it starts. */
export class Launched {
  readonly port: number
  readonly pid: number
  readonly #child: ChildProcess
  readonly #ended: Promise<void>
  #output = ''

  constructor (child: ChildProcess, port: number) {
    this.port = port
    this.pid = child.pid ?? 0
    this.#child = child
    this.#ended = new Promise((resolve) => {
      child.once('error', (error) => { this.#output += error.message; resolve() })
      child.once('exit', () => resolve())
    })
    for (const stream of [child.stdout, child.stderr]) {
      // Read to the end, or a chatty process would stop at a full pipe; kept short, for the message of a failure.
      stream?.setEncoding('utf8').on('data', (text: string) => { this.#output = (this.#output + text).slice(-4096) })
    }
    running.add(this)
    this.#ended.then(() => {
      // The leader is gone, but an nginx worker may outlive its master for a moment.
      this.kill('SIGKILL')
      running.delete(this)
    })
  }

  get hasEnded (): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null || this.#child.pid === undefined
  }

  get output (): string {
    return this.#output.trim()
  }

  /** The whole process group, for a Go or nginx process behind a Node one. */
  kill (signal: NodeJS.Signals): void {
    if (this.pid === 0) return
    try {
      process.kill(-this.pid, signal)
    } catch {}
  }

  async ready (): Promise<void> {
    const deadline = Date.now() + readyTimeout
    while (!await accepts(this.port)) {
      if (this.hasEnded) throw new Error(`ended before it listened: ${this.output || 'no output'}`)
      if (Date.now() > deadline) throw new Error(`does not listen after ${readyTimeout / 1000} s: ${this.output || 'no output'}`)
      await sleep(50)
    }
  }

  /** Answers of a process that listens to its channel, as those with memory/probe.ts do. */
  async ask (question: string): Promise<unknown> {
    return await new Promise((resolve, reject) => {
      this.#child.once('message', resolve)
      this.#child.send(question, (error) => { if (error) reject(error) })
    })
  }

  async stop (): Promise<void> {
    this.kill('SIGTERM')
    const timer = setTimeout(() => this.kill('SIGKILL'), stopTimeout)
    await this.#ended
    clearTimeout(timer)
  }
}

export interface LaunchOptions {
  /** Whose cores it runs on. */
  readonly on: 'proxy' | 'rest'
  readonly upstream: string
  /** See contract.ts. */
  readonly env?: Readonly<Record<string, string>>
  /** For Node itself. */
  readonly node?: readonly string[]
}

/** Starts a program that keeps the contract of contract.ts, and waits until it accepts connections. */
export async function launch (path: string, { on, upstream, env = {}, node = [] }: LaunchOptions): Promise<Launched> {
  const port = await freePort()
  const [command, ...args] = pinned(on, [process.execPath, ...node, path])
  const child = spawn(command!, args, {
    // A group of its own, so that it can be killed with its children; a Ctrl-C then reaches us alone.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...process.env, NODE_ENV: 'production', PORT: String(port), UPSTREAM: upstream, SCRATCH: scratch, ...env }
  })

  const launched = new Launched(child, port)
  try {
    await launched.ready()
  } catch (error) {
    await launched.stop()
    throw error
  }
  return launched
}

/** taskset execs the command, so the pid stays that of the command. */
export function pinned (on: 'proxy' | 'rest', command: readonly string[]): string[] {
  if (cores === null) return [...command]
  return ['taskset', '-c', on === 'proxy' ? String(cores.proxy) : cores.rest, ...command]
}

async function freePort (): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve, reject) => probe.once('error', reject).listen(0, '127.0.0.1', resolve))
  const { port } = probe.address() as AddressInfo
  await new Promise((resolve) => probe.close(resolve))
  return port
}

export async function accepts (port: number, host = '127.0.0.1'): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, host)
    socket.once('connect', () => { socket.destroy(); resolve(true) })
    socket.once('error', () => resolve(false))
  })
}
