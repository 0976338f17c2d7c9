import { channel } from 'node:diagnostics_channel'
import type { FastifyBaseLogger } from 'fastify'
import type { Exchange } from '../../types/model.ts'
import { accessFields } from './access-fields.ts'
import { printAccessLine } from './access-line.ts'
import { LineBytes } from './line-bytes.ts'
import { Names } from './names.ts'

type Bindings = Readonly<Record<string, unknown>>

interface Stream {
  write: (text: string) => unknown
  readonly fd?: unknown
  readonly minLength?: unknown
  readonly sync?: unknown
}

/** What is looked at in a pino logger, which has no other way to it (test/contract/pino.test.ts). */
type Part = 'stream' | 'mixin' | 'stringifiers' | 'chindings'

/** Where pino's tracing channels tell of each line that it prints. */
const printing = channel('tracing:pino_asJson:start')

const hooks = Symbol.for('pino.hooks')
const formatters = Symbol.for('pino.formatters')
const serializers = Symbol.for('pino.serializers')
const wantsMetadata = Symbol.for('pino.metadata')

/** pino's number for info, which is the level of what is printed here. */
const INFO = 30

/**
 * How long lines wait for others on the way to a stream that does not write at once (`sync: false`, pino's default). Each of its writes is a
 * thread woken and one come back from: of a small GET's CPU time 6 % went there when it had the lines of each turn. Milliseconds; Envoy waits for 10 seconds.
 */
const PATIENCE = 10

/** Digits of a time of this millennium, from 2001 on. */
const DIGITS = 13

const message = Buffer.from(',"msg":"proxied"}\n', 'latin1')

/** What stands before the value of a binding: the name of its field. */
const fields = new Names(',', ':')

/**
 * Prints access lines as the app's pino would, for less: the line's frame is taken from a line of pino's own, and the lines of one turn of the
 * event loop go to the file at its end, in one system call; those of a few turns, where the stream does not write at once anyway. Only where
 * pino does nothing but print: a logger with a mixin, hooks, formatters, redaction, serializers of our fields or bindings, another clock or
 * another stream than a file prints for itself.
 */
export class LineWriter {
  readonly #stream: Stream
  readonly #log: FastifyBaseLogger & { readonly levelVal?: number }
  /** What stands before the bindings, with the time of the last line in it, which is that of many. */
  readonly #frame: Buffer
  readonly #timeAt: number
  #time = -1
  readonly #lines: LineBytes = new LineBytes()
  /** What the app's own bindings were when the frame was taken, which `setBindings` changes, and where they are. */
  readonly #ownBindings: unknown
  readonly #whereOwn: symbol
  readonly #isPatient: boolean
  /** Set while lines wait for others. */
  #timer: NodeJS.Timeout | NodeJS.Immediate | null = null

  private constructor (log: FastifyBaseLogger, stream: Stream, head: string, base: string) {
    this.#log = log
    this.#stream = stream
    this.#isPatient = stream.sync === false
    this.#whereOwn = symbolOf(log, 'chindings')!
    this.#ownBindings = inside(log, 'chindings')
    this.#frame = Buffer.from(head + '0'.repeat(DIGITS) + base, 'latin1')
    this.#timeAt = head.length
  }

  /**
   * @param sample an exchange as those that are to be printed
   * @returns null where the logger has to print for itself, or cannot print at all
   */
  static create (log: FastifyBaseLogger, bindings: Bindings, sample: Exchange): LineWriter | null {
    try {
      return LineWriter.#like(log, bindings, sample)
    } catch {
      return null
    }
  }

  static #like (log: FastifyBaseLogger, bindings: Bindings, sample: Exchange): LineWriter | null {
    const sampled = accessFields(sample)
    const stream = inside(log, 'stream') as Stream | undefined
    if (stream === undefined || !Number.isInteger(stream.fd) || stream.minLength === undefined || printsMore(log, stream, { ...sampled, ...bindings, trace_id: '', span_id: '' })) return null
    const frame = /^(\{"level":30,"time":)\d{13}(.*?),"a b"/.exec(printedBy(log, { 'a b': '"' }, sampled))
    if (frame === null) return null
    const writer = new LineWriter(log, stream, frame[1]!, frame[2]!)
    const printed = printedBy(log, bindings, sampled)
    const isWhole = writer.#print(Number(printed.slice(frame[1]!.length, frame[1]!.length + DIGITS)), bindings, sample)
    return isWhole && writer.#lines.take() === printed ? writer : null
  }

  /**
   * Prints an exchange's line now, while what is in it is at hand, and writes it with others.
   * @returns false where it cannot: then those that wait are to be written, and the logger has to be asked
   */
  add (exchange: Exchange, bindings: Bindings): boolean {
    if (!this.#isAsked()) return false
    const time = Date.now()
    if (!this.#print(time, bindings, exchange)) {
      // With all of the memory it may fit.
      this.flush()
      if (!this.#print(time, bindings, exchange)) return false
    }
    this.#timer ??= this.#isPatient ? setTimeout(this.#expire, PATIENCE) : setImmediate(this.#expire)
    return true
  }

  /** Writes what is printed. */
  flush (): void {
    if (this.#lines.isEmpty) return
    const lines = this.#lines.take()
    try {
      this.#stream.write(lines)
    } catch {
      // The app's stream is gone. There is nowhere left to say so.
    }
  }

  /** What was flushed meanwhile has left it nothing to do; to take it back would cost as much. */
  readonly #expire = (): void => {
    this.#timer = null
    this.flush()
  }

  #isAsked (): boolean {
    return this.#log.levelVal! <= INFO && !printing.hasSubscribers && (this.#log as unknown as Record<symbol, unknown>)[this.#whereOwn] === this.#ownBindings
  }

  /** @returns whether it is printed; if not, nothing is */
  #print (time: number, bindings: Bindings, exchange: Exchange): boolean {
    if (time !== this.#time && !this.#setTime(time)) return false
    const lines = this.#lines
    lines.begin()
    lines.piece(this.#frame)
    for (const name in bindings) {
      lines.name(fields, name)
      lines.value(bindings[name])
    }
    printAccessLine(lines, exchange)
    lines.piece(message)
    if (!lines.isWhole) lines.drop()
    return lines.isWhole
  }

  /** @returns false for a clock that stands elsewhere in time */
  #setTime (time: number): boolean {
    const digits = String(time)
    if (digits.length !== DIGITS) return false
    this.#frame.write(digits, this.#timeAt, 'latin1')
    this.#time = time
    return true
  }
}

/** Whether a line is more to this logger than its frame and its fields. */
function printsMore (log: FastifyBaseLogger, stream: Stream, sample: object): boolean {
  const parts = log as unknown as Record<symbol, Record<string, unknown> | undefined>
  const { logMethod, streamWrite } = parts[hooks] ?? {}
  const isHooked = inside(log, 'mixin') !== undefined || logMethod !== undefined || streamWrite !== undefined || parts[formatters]?.['log'] !== undefined
  const changesFields = Reflect.ownKeys(parts[serializers] ?? {}).some((name) => typeof name === 'symbol' || name in sample)
  const redacts = Reflect.ownKeys((inside(log, 'stringifiers') ?? {}) as object).length > 0
  return isHooked || changesFields || redacts || (stream as unknown as Record<symbol, unknown>)[wantsMetadata] === true
}

/** @returns '' where the child is not one of its own: taking its stream would take that of the logger, and every line from then on */
function printedBy (log: FastifyBaseLogger, bindings: object, sample: object): string {
  let printed = ''
  const stream = symbolOf(log, 'stream')!
  const own = inside(log, 'stream')
  const child = log.child(bindings, { level: 'info' })
  if (child === log) return ''
  Object.defineProperty(child, stream, { value: { write: (line: string) => { printed = line } }, configurable: true })
  child.info(sample, 'proxied')
  if (inside(log, 'stream') === own) return printed
  // The child stands in front of the logger itself.
  Object.defineProperty(log, stream, { value: own, writable: true, enumerable: true })
  return ''
}

function inside (log: FastifyBaseLogger, name: Part): unknown {
  const symbol = symbolOf(log, name)
  return symbol === undefined ? undefined : (log as unknown as Record<symbol, unknown>)[symbol]
}

/** pino keeps these symbols to itself, but for their names. */
function symbolOf (log: FastifyBaseLogger, name: Part): symbol | undefined {
  for (let object: object | null = log; object !== null; object = Object.getPrototypeOf(object) as object | null) {
    const found = Object.getOwnPropertySymbols(object).find(({ description }) => description === `pino.${name}`)
    if (found !== undefined) return found
  }
  return undefined
}
