import { hasSubscribers } from 'node:diagnostics_channel'
import type { FastifyBaseLogger } from 'fastify'

interface Stream {
  write: (text: string) => unknown
  readonly fd?: unknown
  readonly minLength?: unknown
}

/** What is looked at in a pino logger, which has no other way to it (test/contract/pino.test.ts). */
type Part = 'stream' | 'mixin' | 'stringifiers'

/** Where pino's tracing channels tell of each line that it prints. */
const PRINTED = 'tracing:pino_asJson:start'

const hooks = Symbol.for('pino.hooks')
const formatters = Symbol.for('pino.formatters')
const serializers = Symbol.for('pino.serializers')
const wantsMetadata = Symbol.for('pino.metadata')

/**
 * Prints access lines as the app's pino would, for a third of what pino takes: the line's frame is taken from a line of pino's own, and the
 * lines of one turn of the event loop go to the file in one system call. Only where pino does nothing but print: a logger with a
 * mixin, hooks, formatters, redaction, serializers of our fields, another clock or another stream than a file prints for itself.
 */
export class LineWriter {
  readonly #stream: Stream
  readonly #log: FastifyBaseLogger
  /** What stands before the time, and between the time and the bindings. */
  readonly #head: string
  readonly #base: string
  #lines = ''

  private constructor (log: FastifyBaseLogger, stream: Stream, head: string, base: string) {
    this.#log = log
    this.#stream = stream
    this.#head = head
    this.#base = base
  }

  /**
   * @param sample a line as those that are to be printed, with every field
   * @returns null where the logger has to print for itself
   */
  static create (log: FastifyBaseLogger, sample: object): LineWriter | null {
    const stream = inside(log, 'stream') as Stream | undefined
    if (stream === undefined || !Number.isInteger(stream.fd) || stream.minLength === undefined || printsMore(log, stream, sample)) return null
    const bindings = { 'a b': '"' }
    const printed = printedBy(log, bindings, sample)
    const frame = /^(\{"level":30,"time":)\d{13}(.*?),"a b"/.exec(printed)
    if (frame === null) return null
    const writer = new LineWriter(log, stream, frame[1]!, frame[2]!)
    const time = printed.slice(frame[1]!.length, frame[1]!.length + 13)
    return writer.#line(time, bindings, sample) === printed ? writer : null
  }

  /** @returns whether it is printed; if not, the logger has to be asked */
  write (bindings: object, fields: object): boolean {
    if (!this.#isAsked()) return false
    if (this.#lines === '') setImmediate(this.flush)
    this.#lines += this.#line(Date.now(), bindings, fields)
    return true
  }

  /** Writes what this turn of the event loop has printed. */
  readonly flush = (): void => {
    const lines = this.#lines
    this.#lines = ''
    try {
      if (lines !== '') this.#stream.write(lines)
    } catch {
      // The app's stream is gone. There is nowhere left to say so.
    }
  }

  #isAsked (): boolean {
    const { level } = this.#log
    return (level === 'info' || level === 'debug' || level === 'trace') && !hasSubscribers(PRINTED)
  }

  /** By JSON.stringify: printing field by field was tried, and is no faster. */
  #line (time: string | number, bindings: object, fields: object): string {
    return `${this.#head}${time}${this.#base},${JSON.stringify(bindings).slice(1, -1)},${JSON.stringify(fields).slice(1, -1)},"msg":"proxied"}\n`
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

function printedBy (log: FastifyBaseLogger, bindings: object, sample: object): string {
  let printed = ''
  const child = log.child(bindings, { level: 'info' })
  Object.defineProperty(child, symbolOf(log, 'stream')!, { value: { write: (line: string) => { printed = line } } })
  child.info(sample, 'proxied')
  return printed
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
