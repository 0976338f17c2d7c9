import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { build } from './build.js'
import { installMissing } from './install.js'

const root = fileURLToPath(new URL('..', import.meta.url))

const coverage = [
  '--reporter=text', '--reporter=text-summary', '--reporter=lcov',
  // Source maps turn these into lib/**/*.ts. With --all, a file that no test loads counts as not covered instead of not at all.
  '--all', '--include=dist/lib/**/*.js',
  '--check-coverage', '--lines=95', '--branches=95', '--functions=95'
]

const steps = [
  ['install', installMissing],
  ['build', () => build()],
  ['lint', () => node('eslint/bin/eslint.js', '.')],
  ['types', typeTests],
  ['tests and coverage', () => node('c8/bin/c8.js', ...coverage, process.execPath, 'scripts/run-tests.js')]
]

function typeTests () {
  const folder = join(root, 'test', 'types')
  const files = existsSync(folder) ? readdirSync(folder, { recursive: true }) : []
  if (files.some(name => name.endsWith('.tst.ts'))) node('tstyche/build/bin.js')
  else console.log('no type tests in test/types')
}

function node (script, ...args) {
  const { status, signal } = spawnSync(process.execPath, [join(root, 'node_modules', script), ...args], { cwd: root, stdio: 'inherit' })
  if (status !== 0) throw new Error(signal === null ? `exit code ${status}` : `ended by ${signal}`)
}

for (const [name, step] of steps) {
  console.log(`\n▶ ${name}`)
  const started = performance.now()
  const seconds = () => `${((performance.now() - started) / 1000).toFixed(1)} s`
  try {
    step()
    console.log(`✔ ${name} (${seconds()})`)
  } catch (error) {
    console.error(`✖ ${name} (${seconds()}): ${error.message}`)
    process.exitCode = 1
    break
  }
}
