import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { build } from './build.js'
import { installMissing } from './install.js'

// The scenarios of test/scenarios in full size, one file after another so that none is measured beside another. A word picks files by their names.
installMissing()
build({ ifStale: true })
const folder = fileURLToPath(new URL('../dist/test/scenarios/', import.meta.url))
const filters = process.argv.slice(2)
const files = readdirSync(folder)
  .filter(name => name.endsWith('.test.js') && (filters.length === 0 || filters.some(filter => name.includes(filter))))
  .sort()
  .map(name => join(folder, name))

const { status } = spawnSync(process.execPath, ['--test', '--test-concurrency=1', '--test-reporter=spec', ...files], {
  stdio: 'inherit',
  env: { ...process.env, SLUICE_SCENARIOS: 'full' }
})
process.exitCode = status ?? 1
