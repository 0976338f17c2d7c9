import { spawnSync } from 'node:child_process'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { build } from './build.js'
import { installMissing } from './install.js'

try {
  installMissing()
  build({ ifStale: true })
  const { status } = spawnSync(process.execPath, [fileURLToPath(new URL('../dist/test/fuzz/main.js', import.meta.url)), ...process.argv.slice(2)], { stdio: 'inherit' })
  process.exitCode = status ?? 1
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}
