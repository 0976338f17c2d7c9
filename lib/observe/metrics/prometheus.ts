import type { Definition } from './catalog.ts'
import { collect, eachInTime, type Visitor } from './collect.ts'
import type { Recorder } from './recorder.ts'
import type { Sample } from './sample.ts'

/** Prometheus' text format 0.0.4. */
export const contentType = 'text/plain; version=0.0.4; charset=utf-8'

/** Characters that are put together at a time. */
const PIECE = 16_384

/** Prints what it visits. */
export class TextWriter implements Visitor {
  readonly #pieces: Buffer[] = []
  #text = ''

  begin ({ name, help, type }: Definition): void {
    this.#text += `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} ${type}\n`
  }

  sample ({ labels, value, histogram }: Sample, definition: Definition): void {
    const pairs = labelPairs(definition.labels, labels)
    const { name } = definition
    if (histogram === null) {
      this.number(name, pairs, value)
      return
    }
    this.histogram(name, pairs, definition.buckets, histogram.counts, histogram.sum)
  }

  number (name: string, pairs: string, value: number): void {
    this.#text += pairs === '' ? `${name} ${value}\n` : `${name}{${pairs}} ${value}\n`
    // Strings are put together when somebody needs them whole. That takes long for many thousand parts, so it is done in between.
    if (this.#text.length > PIECE) this.#flush()
  }

  histogram (name: string, pairs: string, buckets: readonly number[], counts: ArrayLike<number>, sum: number): void {
    const before = pairs === '' ? '' : `${pairs},`
    let below = 0
    for (let index = 0; index < buckets.length; index++) {
      below += counts[index]!
      this.number(`${name}_bucket`, `${before}le="${buckets[index]}"`, below)
    }
    below += counts[buckets.length]!
    this.number(`${name}_bucket`, `${before}le="+Inf"`, below)
    this.number(`${name}_sum`, pairs, sum)
    this.number(`${name}_count`, pairs, below)
  }

  /** All of it, in pieces. */
  get pieces (): readonly Buffer[] {
    this.#flush()
    return this.#pieces
  }

  #flush (): void {
    this.#pieces.push(Buffer.from(this.#text))
    this.#text = ''
  }
}

export function labelPairs (names: readonly string[], values: readonly string[]): string {
  let pairs = ''
  for (let index = 0; index < names.length; index++) {
    if (index > 0) pairs += ','
    pairs += `${names[index]}="${escaped(values[index]!)}"`
  }
  return pairs
}

function escaped (value: string): string {
  return /[\\"\n]/.test(value) ? value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n') : value
}

export async function printed (recorder: Recorder): Promise<readonly Buffer[]> {
  const writer = new TextWriter()
  await collect(recorder, writer)
  return writer.pieces
}

/** One text. V8 puts it together when somebody looks into it. */
export async function textOf (pieces: readonly Buffer[]): Promise<string> {
  let text = ''
  for await (const piece of eachInTime(pieces)) text += piece.toString()
  return text
}
