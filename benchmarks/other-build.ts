import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { folder } from './folder.ts'
import { scratch } from './scratch.ts'

const root = join(folder, '..')

export interface OtherBuild {
  readonly commit: string
  /** What serve-ours.ts imports. */
  readonly library: string
}

/** Builds another commit of this repository, of which nothing is touched; it is gone when this process is. */
export function buildOf (revision: string): OtherBuild {
  const commit = run('git', ['rev-parse', '--verify', '--quiet', '--end-of-options', `${revision}^{commit}`], root, `there is no commit '${revision}'`).trim()
  const place = join(scratch, 'build')
  mkdirSync(place)
  run('sh', ['-c', `git -C "$1" archive ${commit} | tar -x`, 'sh', root], place, 'git archive failed')
  if (lockOf(place) === lockOf(root)) symlinkSync(join(root, 'node_modules'), join(place, 'node_modules'))
  else run('npm', ['ci', '--ignore-scripts', '--no-fund', '--no-audit', '--loglevel=error'], place, 'npm ci failed')
  run(process.execPath, [join('scripts', 'build.js')], place, 'the build failed')
  return { commit, library: libraryIn(place) }
}

type Target = string | { readonly import?: Target, readonly default?: Target }

/** The file that an import of the package gets. */
export function libraryIn (place: string): string {
  const { exports } = JSON.parse(readFileSync(join(place, 'package.json'), 'utf8')) as { exports: Record<string, Target> }
  let target = exports['.']
  while (typeof target === 'object') target = target.import ?? target.default
  if (target === undefined) throw new Error(`${place}/package.json exports nothing that can be imported`)
  return join(place, target)
}

function lockOf (place: string): string {
  return readFileSync(join(place, 'package-lock.json'), 'utf8')
}

function run (command: string, args: string[], cwd: string, otherwise: string): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  if (status === 0) return stdout
  throw new Error(`${otherwise}${error === undefined ? '' : `: ${error.message}`}\n${stdout}${stderr}`.trim())
}
