import process from 'node:process'
import { build } from './build.js'
import { installMissing } from './install.js'

// 1 GiB through the proxy in both directions, with and without rewriting: the test of `npm test`, at full size.
process.env.SLUICE_BODY_BYTES ??= String(1024 ** 3)
process.env.SLUICE_FILE_TIMEOUT ??= '600000'
process.argv.push('behaviour/memory-transit')

try {
  installMissing()
  build({ ifStale: true })
  await import('./run-tests.js')
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}
