import { createRequire } from 'node:module'
import { join } from 'node:path'
import { folder } from './folder.ts'

/** Loads what the contenders depend on from benchmarks/node_modules; none of it is a dependency of the package. */
export const load: NodeJS.Require = createRequire(join(folder, 'package.json'))
