import { existsSync, readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, relative } from 'node:path'
import process from 'node:process'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = join(root, 'dist', 'test')
const filters = process.argv.slice(2)

const files = (existsSync(folder) ? readdirSync(folder, { recursive: true }) : [])
  .filter(name => name.endsWith('.test.js'))
  .map(name => join(folder, name))
  // Either separator, so that a filter may be typed as it is on any system.
  .filter(file => filters.length === 0 || filters.some(filter => relative(folder, file).replaceAll('\\', '/').includes(filter)))
  .sort()

// ms per file; the slowest takes 20 s where it has a core to itself. `npm run test:gigabyte` needs more.
const fileTimeout = Number(process.env.SLUICE_FILE_TIMEOUT ?? 300_000)

// What hangs, or leaves something open, must not hold up the rest for ever. The timeout of run() is one per file in Node 20, but one
// per test in 24, which then waits without end for a process whose tests are done. Hence a timer in each process: it lets the
// process end whenever nothing else keeps it, and only sees event loops that turn; the other timeout sees the rest. Children that a
// test starts are its own affair, so they do not inherit it.
const watchdog = `
  import { isMainThread } from 'node:worker_threads'
  if (isMainThread) {
    delete process.env.NODE_OPTIONS
    setTimeout(() => {
      console.error(process.argv[1] + ' still runs after ${fileTimeout} ms, kept by: ' + process.getActiveResourcesInfo().join(', '))
      process.exit(1)
    }, ${fileTimeout}).unref()
  }
`

const problems = []
let tests = 0

if (files.length > 0) {
  process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ''} --import data:text/javascript,${encodeURIComponent(watchdog).replaceAll("'", '%27')}`
  const stream = run({
    files,
    // Two at most: every file runs clients, proxy and upstreams, and the ones about timeouts measure to 50 ms.
    concurrency: Math.min(2, availableParallelism()),
    timeout: fileTimeout + 5000
  })
  stream.on('test:pass', note)
  stream.on('test:fail', (test) => {
    problems.push(`failed: ${test.name}`)
    if (!files.includes(test.name)) note(test)
  })
  stream.compose(spec).pipe(process.stdout)
  await new Promise(resolve => stream.once('end', resolve))
}

// The reporter counts these as passed enough. Here nothing may be left out: a test that cannot run yet is not there yet.
function note ({ name, skip, todo, details }) {
  // A file in which no test ran is reported as if it were one itself.
  if (files.includes(name)) problems.push(`no test in ${name}`)
  else if (details?.type !== 'suite') tests++
  if (isSet(skip)) problems.push(`skipped: ${name}`)
  if (isSet(todo)) problems.push(`todo: ${name}`)
}

function isSet (mark) {
  return mark !== undefined && mark !== false
}

if (files.length === 0) problems.push(filters.length > 0 ? `no test file matches ${filters.join(' ')}` : 'no test file was found: is it built?')
else if (tests === 0 && problems.length === 0) problems.push('no test ran')
// On exit, when the reporter has written its summary.
process.once('exit', () => {
  if (problems.length === 0) return
  console.error(`\n${problems.join('\n')}`)
  process.exitCode = 1
})
