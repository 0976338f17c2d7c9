import type { Definition } from './catalog.ts'
import { collect, type Visitor } from './collect.ts'
import { families } from './families.ts'
import type { Histogram } from './histogram.ts'
import { labelPairs, TextWriter } from './prometheus.ts'
import type { Recorder } from './recorder.ts'

/** What one process tells another: by metric, then by its labels as they are printed. Plain data, for node:cluster's messages. */
export type Told = Record<string, Record<string, number | Counts>>

/** Series between two looks at whether somebody else's turn has come. */
const STEP = 32

/** A histogram: its counts by bucket, and the sum at the end. */
export type Counts = number[]

export function countsOf ({ counts, sum }: Histogram): Counts {
  return [...counts, sum]
}

export async function tell (recorder: Recorder): Promise<Told> {
  const told: Told = {}
  await collect(recorder, telling(told))
  return told
}

/** Counters and histograms, which only ever grow, at once: of a recorder that is about to go. */
export function tellLasting (recorder: Recorder): Told {
  const told: Told = {}
  const visitor = telling(told)
  for (const { definition, prepare, read } of families) {
    if (definition.type === 'gauge') continue
    visitor.begin(definition)
    if (prepare !== undefined) inOneGo(prepare(recorder))
    for (const sample of read(recorder, 0)) visitor.sample(sample, definition)
  }
  return told
}

function telling (told: Told): Visitor {
  return {
    begin: ({ name }) => { told[name] = {} },
    sample: ({ labels, value, histogram }, { name, labels: names }) => {
      told[name]![labelPairs(names, labels)] = histogram === null ? value : countsOf(histogram)
    }
  }
}

/** Adds what one process has told to what others have: into `all`, which is changed, in steps. */
export function * merging (all: Told, told: Told, only: (definition: Definition) => boolean = () => true): Generator<void, void> {
  let count = 0
  for (const { definition } of families) {
    const from = told[definition.name]
    if (from === undefined || !only(definition)) continue
    const to = all[definition.name] ??= {}
    for (const pairs in from) {
      to[pairs] = merged(to[pairs], from[pairs]!, definition.merge)
      if (++count % STEP === 0) yield
    }
  }
}

/** The same in one go. */
export function mergeInto (all: Told, told: Told, only?: (definition: Definition) => boolean): void {
  inOneGo(merging(all, told, only))
}

function inOneGo (steps: Iterator<void>): void {
  while (steps.next().done !== true);
}

export function merged (present: number | Counts | undefined, value: number | Counts, merge: Definition['merge']): number | Counts {
  if (present === undefined) return Array.isArray(value) ? [...value] : value
  if (Array.isArray(present) || Array.isArray(value)) {
    return Array.isArray(present) && Array.isArray(value) ? present.map((count, index) => count + (value[index] ?? 0)) : present
  }
  if (merge === 'max') return Math.max(present, value)
  return merge === 'min' ? Math.min(present, value) : present + value
}

export function * printing (all: Told): Generator<void, readonly Buffer[]> {
  const writer = new TextWriter()
  let count = 0
  for (const { definition } of families) {
    writer.begin(definition)
    const family = all[definition.name] ?? {}
    for (const pairs in family) {
      const value = family[pairs]!
      if (Array.isArray(value)) writer.histogram(definition.name, pairs, definition.buckets, value, value.at(-1)!)
      else writer.number(definition.name, pairs, value)
      if (++count % STEP === 0) yield
    }
  }
  return writer.pieces
}
