import { build } from './build.js'
import { installMissing } from './install.js'

installMissing()
build({ ifStale: true })
await import('../dist/benchmarks/micro/policies.js')
