import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { build } from './build.js'
import { installMissing } from './install.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const benchmarks = join(root, 'benchmarks')

/** The peers live in a node_modules of their own: nobody who uses or develops the package needs them. */
function installPeers () {
  const wanted = packagesOf(join(benchmarks, 'package-lock.json'))
  const present = packagesOf(join(benchmarks, 'node_modules', '.package-lock.json'))
  const isInstalled = Object.keys(wanted).every(path => path === '' || wanted[path].optional || present[path]?.version === wanted[path].version)
  if (isInstalled) return

  console.error('installing the contenders …')
  const { status, error } = spawnSync('npm', ['ci', '--no-fund', '--no-audit', '--loglevel=error'], { cwd: benchmarks, stdio: ['ignore', 'ignore', 'inherit'] })
  if (error) throw new Error(`could not run npm: ${error.message}`)
  if (status !== 0) throw new Error('npm ci failed in benchmarks/')
}

function packagesOf (lock) {
  return existsSync(lock) ? JSON.parse(readFileSync(lock, 'utf8')).packages : {}
}

function bench () {
  const [first, ...rest] = process.argv.slice(2)
  const isNamed = ['tunnel', 'tail', 'disturbances', 'memory', 'ratio'].includes(first)
  const flags = isNamed ? rest : process.argv.slice(2)
  const isAgainst = flags.some(flag => /^--against(=|$)/.test(flag))
  const program = isNamed ? first : isAgainst ? 'against' : 'run'
  const child = spawn(process.execPath, [join(root, 'dist', 'benchmarks', `${program}.js`), ...flags], {
    cwd: root,
    // Over the channel it notices our end, however that comes, and stops the proxies it has started.
    stdio: ['inherit', 'inherit', 'inherit', 'ipc']
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.once('exit', code => process.exit(code ?? 1))
}

try {
  installMissing()
  installPeers()
  build({ ifStale: true })
  bench()
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}
