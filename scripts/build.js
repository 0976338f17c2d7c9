import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = join(root, 'dist')
const stamp = join(dist, '.built')

/** Compiles everything into dist, from nothing, so that no file stays whose source is gone. */
export function build ({ ifStale = false } = {}) {
  if (ifStale && !isStale()) return
  rmSync(dist, { recursive: true, force: true })
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.json'], { cwd: root, stdio: 'inherit' })
  if (status !== 0) throw new Error('tsc failed')
  const cli = join(dist, 'lib', 'cli.js')
  if (existsSync(cli)) chmodSync(cli, 0o755)
  writeFileSync(stamp, '')
}

/** Takes the source maps out of what is packed: the sources that they lead to are not in the package. Coverage needs them in a checkout. */
export function dropMaps (folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) dropMaps(path)
    else if (path.endsWith('.map')) rmSync(path)
    else if (path.endsWith('.js')) writeFileSync(path, readFileSync(path, 'utf8').replace(/\n\/\/# sourceMappingURL=\S+\s*$/, '\n'))
  }
}

function isStale () {
  if (!existsSync(stamp)) return true
  const built = statSync(stamp).mtimeMs
  return ['tsconfig.json', 'package-lock.json', 'lib', 'types', 'examples', 'benchmarks', 'test'].some(name => isNewer(join(root, name), built))
}

// A folder is newer when something was added to it or taken from it.
function isNewer (path, than) {
  if (!existsSync(path)) return false
  const stats = statSync(path)
  if (!stats.isDirectory()) return stats.mtimeMs > than
  return stats.mtimeMs > than || readdirSync(path, { withFileTypes: true }).some(entry => {
    // What a benchmark installs or writes is not compiled.
    if (entry.isDirectory()) return entry.name !== 'node_modules' && entry.name !== 'results' && isNewer(join(path, entry.name), than)
    return entry.name.endsWith('.ts') && isNewer(join(path, entry.name), than)
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    build({ ifStale: process.argv.includes('--if-stale') })
    // `npm pack` and `npm publish`; coverage has none until the next build, which comes with `npm test`.
    if (process.argv.includes('--without-maps')) for (const part of ['lib', 'types']) dropMaps(join(dist, part))
  } catch (error) {
    console.error(error.message)
    process.exitCode = 1
  }
}
