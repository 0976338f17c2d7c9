import { join } from 'node:path'

/** The sources of the benchmarks. Compiled code runs from dist/benchmarks/, but configs, Go code and node_modules stay here. */
export const folder: string = join(import.meta.dirname, '..', '..', 'benchmarks')
