import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Chance } from './chance.ts'
import { Fault, Judge, valueOf, type Message } from './judge.ts'
import { inPieces, mutated } from './mutate.ts'
import { FuzzOrigin, markOf, type Reply } from './origin.ts'
import { answerSeeds, parts, requestSeeds, soundRequests } from './seeds.ts'

export interface FuzzOptions {
  seed: number
  /** Mutated requests, and mutated answers. */
  requests: number
  answers: number
  /** A folder of raw requests: JSON files, lists of `{ id, parts }` with parts in base64. */
  corpus?: string
  /** Cases at once. */
  atOnce?: number
  say?: (line: string) => void
}

export interface FuzzReport {
  requests: number
  answers: number
  corpus: number
  /** Requests that Fastify saw, and answers that clients got. */
  seen: number
  responses: number
  seconds: number
  /** What should not have been; nothing, in a clean run. */
  faults: string[]
}

/**
 * Ticks of the proxy, of 100 ms at least, in which every exchange is over, one way or another: its timeouts are far below. Not time: on a
 * machine with other things to do that goes on while nobody here does.
 */
const PATIENCE = 80
/** ms without a tick: an event loop that stands still. A starved one has never come near. */
const STANDSTILL = 120_000
/** ms without a byte after which a client that has said everything leaves. */
const QUIET = 60
const MIB = 1024 * 1024

interface Case {
  readonly name: string
  readonly pieces: readonly Buffer[]
  /** FIN at once, after silence, or never: then the proxy has to end it. */
  readonly leaves: 'at once' | 'quietly' | 'never'
  /** Methods, where the requests are sound; null where nobody can say what they are. */
  readonly methods: readonly string[] | null
}

interface Left { seen: number, connections: number, active: number, held: number, warnings: string[] }

export async function fuzz (options: FuzzOptions): Promise<FuzzReport> {
  const run = new Run(options)
  return run.all()
}

class Run {
  readonly #options: Required<Omit<FuzzOptions, 'corpus'>> & Pick<FuzzOptions, 'corpus'>
  readonly #faults: string[] = []
  #responses = 0
  #origin: FuzzOrigin | null = null
  #child: ChildProcess | null = null
  #port = 0
  /** Cases that are under way, told of every tick. */
  readonly #waiting = new Set<() => void>()
  #isAnswering = false
  #answered: ((message: unknown) => void) | null = null
  /** What went back so far for the cases of the second phase that are under way. */
  readonly #replies = new Map<string, { text: string, how: string }[]>()

  constructor (options: FuzzOptions) {
    this.#options = { atOnce: 64, say: () => {}, ...options }
  }

  async all (): Promise<FuzzReport> {
    const { requests, answers, corpus } = this.#options
    const started = performance.now()
    this.#origin = await FuzzOrigin.start((message) => this.#reply(message))
    const child = this.#child = fork(new URL('proxy.js', import.meta.url), [this.#origin.url], { execArgv: [], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
    let stderr = ''
    child.stderr!.setEncoding('utf8').on('data', (text: string) => { stderr = (stderr + text).slice(-4000) })
    let isOver = false
    child.once('exit', (code, signal) => {
      if (!isOver) this.#faults.push(`the proxy ended with ${code ?? signal}: ${stderr}`)
    })
    let seen = 0
    const raw = corpus === undefined ? [] : readCorpus(corpus)
    try {
      const standstill = setTimeout(() => {
        this.#faults.push(`the proxy's event loop has stood still for ${STANDSTILL} ms`)
        child.kill('SIGKILL')
      }, STANDSTILL)
      child.once('exit', () => { clearTimeout(standstill) })
      let isTold = false
      child.on('message', (message) => {
        standstill.refresh()
        if (message !== 'tick') {
          this.#answered?.(message)
          return
        }
        // Those that have piled up while we were the ones without a turn are one.
        if (isTold) return
        isTold = true
        setTimeout(() => { isTold = false }, 60)
        for (const onTick of this.#waiting) onTick()
      })
      this.#port = await this.#answer()
      await this.#phase('warm', Math.min(200, requests), (index) => this.#requestCase(index))
      const before = await this.#ask()
      await this.#phase('corpus', raw.length, (index) => raw[index]!)
      await this.#phase('requests', requests, (index) => this.#requestCase(index))
      this.#isAnswering = true
      await this.#phase('answers', answers, (index) => this.#answerCase(index))
      const after = await this.#settled()
      seen = after.seen
      this.#compare(before, after)
    } catch (error) {
      this.#faults.push(`the run broke off: ${String(error)}`)
    } finally {
      isOver = true
      if (child.connected) child.disconnect()
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
      await this.#origin.close()
    }
    this.#faults.push(...this.#origin.faults.slice(0, 20))
    return { requests, answers, corpus: raw.length, seen, responses: this.#responses, seconds: (performance.now() - started) / 1000, faults: this.#faults }
  }

  async #phase (name: string, count: number, make: (index: number) => Case): Promise<void> {
    let next = 0
    const { atOnce, say } = this.#options
    const worker = async (): Promise<void> => {
      while (next < count && this.#faults.length < 20 && this.#child!.exitCode === null && this.#child!.signalCode === null) {
        const index = next++
        if (index > 0 && index % 10_000 === 0) say(`${name}: ${index} of ${count}`)
        await this.#play(make(index))
      }
    }
    await Promise.all(Array.from({ length: Math.min(atOnce, count) }, worker))
  }

  #requestCase (index: number): Case {
    const chance = new Chance(this.#options.seed, 'requests', index)
    const seed = chance.oneOf(requestSeeds).replaceAll('%', chance.oneOf(parts))
    const leaves = chance.percent(25) ? 'at once' : chance.percent(2) ? 'never' : 'quietly'
    return { name: `requests ${index}`, pieces: inPieces(mutated(seed, chance), chance), leaves, methods: null }
  }

  #answerCase (index: number): Case {
    const chance = new Chance(this.#options.seed, 'answers', index)
    const part = chance.oneOf(parts)
    const list = Array.from({ length: chance.percent(20) ? 1 + chance.below(3) : 1 }, () => chance.oneOf(soundRequests))
    const text = list.map((request) => request.text.replaceAll('%', part).replace('\r\n', `\r\nX-Case: ${index}\r\n`)).join('')
    return { name: `answers ${index}`, pieces: [Buffer.from(text, 'latin1')], leaves: 'never', methods: list.map(({ method }) => method) }
  }

  #reply (message: Message): Reply {
    const seen = valueOf(message, 'x-seen') ?? '0'
    const method = message.start.split(' ', 1)[0]!
    if (!this.#isAnswering) {
      const body = method === 'HEAD' ? '' : markOf(seen)
      return { pieces: [Buffer.from(`HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${markOf(seen).length}\r\nX-Echo: ${markOf(seen)}\r\n\r\n${body}`)], then: 'keep' }
    }
    const number = valueOf(message, 'x-case') ?? ''
    const before = this.#replies.get(number) ?? []
    const chance = new Chance(this.#options.seed, 'replies', Number(number) * 8 + before.length)
    const text = mutated(chance.oneOf(answerSeeds), chance)
    const pieces = inPieces(text.replaceAll('@', markOf(seen)), chance)
    const then = chance.percent(40) ? 'end' : chance.percent(10) ? 'reset' : 'keep'
    this.#replies.set(number, [...before, { text, how: `in ${pieces.length}, then ${then}` }])
    return { pieces, then }
  }

  async #play (one: Case): Promise<void> {
    const outcome = await this.#converse(one).catch((error: unknown) => error)
    const number = /\d+$/.exec(one.name)?.[0] ?? ''
    const replies = this.#replies.get(number) ?? []
    this.#replies.delete(number)
    if (outcome === null) return
    const bytes = Buffer.concat(one.pieces).toString('latin1')
    this.#faults.push(`${one.name} (seed ${this.#options.seed}): ${outcome instanceof Error ? outcome.message : String(outcome)}\n    after ${shown(bytes)}${replies.map(({ text, how }) => `\n    answered by ${shown(text)} ${how}`).join('')}`)
  }

  /** One connection: what was said to it, and all that came back. Null when nothing is to be complained about. */
  #converse ({ pieces, leaves, methods }: Case): Promise<string | null> {
    return new Promise((resolve) => {
      const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
      const finals: Message[] = []
      // Fastify answers a path that cannot be decoded before any hook, so unmarked.
      const unmarked = Buffer.concat(pieces).includes('HEAD') ? null : 'GET'
      const judge = new Judge('responses', (head) => valueOf(head, 'x-method') ?? unmarked)
      let fault: string | null = null
      let quiet: NodeJS.Timeout | undefined
      let ticks = 0
      const onTick = (): void => {
        if (++ticks < PATIENCE) return
        fault ??= `nothing came of it in ${PATIENCE} ticks`
        socket.destroy()
      }
      this.#waiting.add(onTick)
      const leave = (): void => {
        if (leaves === 'quietly') {
          clearTimeout(quiet)
          quiet = setTimeout(() => { socket.end() }, QUIET)
        } else if (methods !== null && finals.length >= methods.length && judge.isBetween && !judge.isOpaque) {
          socket.end()
        }
      }
      socket.on('error', () => {})
      socket.on('data', (chunk: Buffer) => {
        if (fault !== null) return
        try {
          for (const message of judge.read(chunk)) {
            const status = Number(message.start.slice(9, 12))
            if (status >= 200 || status === 101) finals.push(message)
          }
          // A tunnel has no end that anybody could wait for.
          if (judge.isOpaque && finals.at(-1)?.start.startsWith('HTTP/1.1 101') === true) socket.end()
        } catch (error) {
          fault = error instanceof Fault ? error.message : String(error)
          socket.destroy()
        }
        leave()
      })
      socket.on('end', () => { socket.end() })
      socket.on('close', () => {
        this.#waiting.delete(onTick)
        clearTimeout(quiet)
        this.#responses += finals.length
        resolve(fault ?? this.#complaint(finals, pieces, methods))
      })
      const write = (index: number): void => {
        if (socket.destroyed) return
        if (index < pieces.length) {
          socket.write(pieces[index]!)
          if (pieces.length > 1) setTimeout(write, 1, index + 1)
          else write(index + 1)
          return
        }
        if (leaves === 'at once') socket.end()
        else leave()
      }
      socket.once('connect', () => { write(0) })
    })
  }

  #complaint (finals: readonly Message[], pieces: readonly Buffer[], methods: readonly string[] | null): string | null {
    // As many as anybody could see in it, and one that says that something is wrong.
    const most = methods !== null ? methods.length : linesIn(Buffer.concat(pieces).toString('latin1')) + 1
    if (finals.length > most) return `${finals.length} answers to ${most} requests at most: ${JSON.stringify(finals.map(({ start }) => start))}`
    let last = 0
    let isClosing = false
    for (const message of finals) {
      const seen = valueOf(message, 'x-seen')
      // Node's own (no Host, an unknown expectation, bytes that are none of HTTP) and Fastify's of a path that cannot be decoded; behind one
      // that announces the end, Node may have another of that kind for what its parser still finds.
      if (seen === undefined && !message.start.startsWith('HTTP/1.1 4')) return `nobody's answer: ${JSON.stringify(message)}`
      if (isClosing && seen !== undefined) return `${seen} was answered behind the end of the connection`
      isClosing ||= /close/i.test(valueOf(message, 'connection') ?? '')
      if (seen === undefined) continue
      if (message.fields.filter(([name]) => name === 'x-seen').length !== 1) return 'two numbers in one answer'
      if (Number(seen) <= last) return `the answer to ${seen} after that to ${last}`
      last = Number(seen)
      for (const [mark] of `${message.fields.flat().join(' ')} ${message.body}`.matchAll(/x\d+y\d{1,4}z/g)) {
        const number = /^x(\d+)y/.exec(mark)![1]!
        if (markOf(number) === mark && number !== seen) return `the answer to ${seen} has what was for ${number}`
      }
      const count = this.#origin!.counts.get(seen) ?? 0
      // A stale connection's request is sent once more.
      if (count > (this.#isAnswering ? 2 : 1)) return `the upstream saw ${seen} ${count} times`
      this.#origin!.counts.delete(seen)
    }
    return null
  }

  async #ask (): Promise<Left> {
    this.#child!.send('left')
    return this.#answer()
  }

  /** The next message that is no tick; one at a time is waited for. */
  #answer<T> (): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#answered = resolve as (message: unknown) => void
      this.#child!.once('exit', () => { reject(new Error('the proxy is gone')) })
    })
  }

  async #settled (): Promise<Left> {
    let left = await this.#ask()
    for (let n = 0; n < 40 && (left.connections > 0 || left.active > 0); n++) {
      await new Promise((resolve) => setTimeout(resolve, 200))
      left = await this.#ask()
    }
    return left
  }

  #compare (before: Left, after: Left): void {
    if (after.connections > 0) this.#faults.push(`${after.connections} connections of clients are left`)
    if (after.active > 0) this.#faults.push(`${after.active} exchanges are left`)
    if (after.warnings.length > 0) this.#faults.push(`warnings: ${after.warnings.slice(0, 3).join('; ')}`)
    const grown = after.held - before.held
    if (grown > 16 * MIB) this.#faults.push(`the proxy holds ${(grown / MIB).toFixed(1)} MiB more than before`)
    for (const [seen, count] of this.#origin!.counts) {
      if (count > 2) this.#faults.push(`the upstream saw request ${seen} ${count} times`)
    }
  }
}

/** What could be taken for the first line of a request, wherever it stands. */
function linesIn (text: string): number {
  return text.match(/HTTP\/|[^\r\n]+[\r\n]/g)?.length ?? 0
}

function shown (text: string): string {
  return JSON.stringify(text.replace(/(X-Many: x\r\n){3,}/g, 'X-Many ...\r\n').replace(/(.)\1{30,}/g, '$1$1$1...').slice(0, 600))
}

function readCorpus (folder: string): Case[] {
  const cases: Case[] = []
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.json')).sort()) {
    for (const { id, parts: encoded } of JSON.parse(readFileSync(join(folder, name), 'utf8')) as { id: string, parts: string[] }[]) {
      const pieces = encoded.map((part) => Buffer.from(part, 'base64'))
      for (const leaves of ['quietly', 'at once'] as const) cases.push({ name: `${id}, leaving ${leaves}`, pieces, leaves, methods: null })
    }
  }
  return cases
}
