import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const lock = join(root, 'package-lock.json')
// What npm writes into node_modules once it has installed everything.
const installed = join(root, 'node_modules', '.package-lock.json')

/** Runs `npm ci` when node_modules is missing or is not what package-lock.json asks for. */
export function installMissing () {
  if (!isMissing()) return
  console.log('installing dependencies …')
  const [command, ...args] = npm()
  // The tools that build and test are devDependencies: also where NODE_ENV says production.
  const { status, error, stdout, stderr } = spawnSync(command, [...args, 'ci', '--include=dev', '--no-fund', '--no-audit'], { cwd: root, encoding: 'utf8' })
  if (error) throw new Error(`could not run npm: ${error.message}`)
  if (status !== 0) {
    process.stderr.write(stdout + stderr)
    throw new Error('npm ci failed')
  }
}

function isMissing () {
  if (!existsSync(installed)) return true
  if (statSync(lock).mtimeMs <= statSync(installed).mtimeMs) return false
  // A checkout touches the lock file without changing it, and `npm install` writes it last: only what it says counts.
  const wanted = JSON.parse(readFileSync(lock, 'utf8')).packages
  const present = JSON.parse(readFileSync(installed, 'utf8')).packages
  return Object.keys(wanted).some(path => {
    if (path === '') return false
    // Optional ones are left out where they are for another system.
    if (present[path] === undefined) return !wanted[path].optional && !wanted[path].devOptional
    return present[path].version !== wanted[path].version || present[path].integrity !== wanted[path].integrity
  })
}

// npm's own script runs on every system; its command is a batch file on Windows, which spawn does not start.
function npm () {
  const { npm_execpath: running } = process.env
  if (running !== undefined && basename(running) === 'npm-cli.js') return [process.execPath, running]
  const beside = join(dirname(process.execPath), 'node_modules', 'npm', 'bin', 'npm-cli.js')
  return existsSync(beside) ? [process.execPath, beside] : ['npm']
}
