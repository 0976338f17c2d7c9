import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { folder } from './folder.ts'

const root = join(folder, '..')

export interface OtherBuild {
  readonly commit: string
  /** What serve-ours.ts imports. */
  readonly library: string
}

/** A build of another commit of this repository, kept for the next time. Nothing of the checkout is touched. */
export function buildOf (revision: string): OtherBuild {
  const commit = run('git', ['rev-parse', '--verify', '--quiet', '--end-of-options', `${revision}^{commit}`], root, `there is no commit '${revision}'`).trim()
  const place = join(folder, 'results', 'builds', commit)
  if (!existsSync(place)) {
    // Under another name until it is whole, so that one which was broken off is begun anew.
    const begun = `${place}.part`
    rmSync(begun, { recursive: true, force: true })
    mkdirSync(begun, { recursive: true })
    run('sh', ['-c', `git -C "$1" archive ${commit} | tar -x`, 'sh', root], begun, 'git archive failed')
    if (lockOf(begun) === lockOf(root)) symlinkSync(join(root, 'node_modules'), join(begun, 'node_modules'))
    else run('npm', ['ci', '--ignore-scripts', '--no-fund', '--no-audit', '--loglevel=error'], begun, 'npm ci failed')
    run(process.execPath, [join('scripts', 'build.js')], begun, 'the build failed')
    renameSync(begun, place)
  }
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
