import { readFileSync } from 'node:fs'
import { program } from './programs.ts'

export interface Cores {
  /** The one core of the proxy under test, and of nothing else. */
  readonly proxy: number
  /** The cores of the load and the origin. */
  readonly rest: string
}

/** The proxy gets a core to itself, load and origin share the others. null: nothing is pinned, and figures are worth less. */
export const cores: Cores | null = split()

function split (): Cores | null {
  if (program('taskset') === null) return null

  const [proxy, ...rest] = allowed()
  if (proxy === undefined || rest.length === 0) return null
  return { proxy, rest: rest.join(',') }
}

/** A container may run on cores 6 and 7 only, so core 0 is not taken for granted. */
function allowed (): number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? ''

  return list.split(',').flatMap(function numbers (range) {
    const [first = NaN, last = first] = range.split('-').map(Number)
    return Number.isNaN(first) ? [] : Array.from({ length: last - first + 1 }, (_, i) => first + i)
  })
}
