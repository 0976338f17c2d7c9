import { setImmediate as rest } from 'node:timers/promises'
import type { Definition } from './catalog.ts'
import { families } from './families.ts'
import type { Recorder } from './recorder.ts'
import type { Sample } from './sample.ts'

/** ms of reading in one turn of the event loop: requests go on in between, however many endpoints there are. */
const SLICE = 2
/** How many samples between two looks at the clock. */
const LOOK = 8

export interface Visitor {
  /** Called for every metric, those without a sample too. */
  begin (definition: Definition): void
  sample (sample: Sample, definition: Definition): void
}

/** Whether somebody has read in this turn of the event loop, and since when. A registry asks for all metrics at once: they share the slice. */
let hasBegun = false
let begunAt = 0

function isOver (): boolean {
  if (hasBegun) return performance.now() - begunAt >= SLICE
  hasBegun = true
  begunAt = performance.now()
  setImmediate(() => { hasBegun = false })
  return false
}

/** Takes all steps of some work, in slices. @returns what the work comes to */
export async function inSlices<T> (work: Iterator<unknown, T>): Promise<T> {
  for (;;) {
    while (isOver()) await rest()
    const step = work.next()
    if (step.done === true) return step.value
  }
}

/** The same for who wants each of some things when it is ready for it. */
export async function * eachInTime<T> (things: Iterable<T>): AsyncGenerator<T> {
  for (const thing of things) {
    while (isOver()) await rest()
    yield thing
  }
}

/** Reads everything, in slices. A series that changes between two of them is read as it is when its turn comes. */
export async function collect (recorder: Recorder, visitor: Visitor, only: Definition | null = null): Promise<void> {
  let read = 0
  for (const family of families) {
    const { definition } = family
    if (only !== null && definition !== only) continue
    visitor.begin(definition)
    while (isOver()) await rest()
    if (family.prepare !== undefined) await inSlices(family.prepare(recorder))
    for (const sample of family.read(recorder, performance.now())) {
      visitor.sample(sample, definition)
      if (++read % LOOK !== 0) continue
      while (isOver()) await rest()
    }
  }
}
