import { setImmediate as rest } from 'node:timers/promises'
import type { Definition } from './catalog.ts'
import { families } from './families.ts'
import type { Recorder } from './recorder.ts'
import type { Sample } from './sample.ts'

/** ms of reading at a time: requests go on in between, however many endpoints there are. */
const SLICE = 3
/** How many samples between two looks at the clock. */
const LOOK = 16

export interface Visitor {
  /** Called for every metric, those without a sample too. */
  begin (definition: Definition): void
  sample (sample: Sample, definition: Definition): void
}

/** Reads everything, in slices. A series that changes between two of them is read as it is when its turn comes. */
export async function collect (recorder: Recorder, visitor: Visitor, only: (definition: Definition) => boolean = () => true): Promise<void> {
  let until = performance.now() + SLICE
  let read = 0
  for (const family of families) {
    const { definition } = family
    if (!only(definition)) continue
    visitor.begin(definition)
    for (const sample of family.read(recorder, performance.now())) {
      visitor.sample(sample, definition)
      if (++read % LOOK !== 0 || performance.now() < until) continue
      await rest()
      until = performance.now() + SLICE
    }
  }
}
