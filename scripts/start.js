import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { build } from './build.js'
import { installMissing } from './install.js'

// Before anything that takes time: it may be gone after that.
const parent = process.ppid
const args = process.argv.slice(2)
const program = args.length > 0 ? '../dist/lib/cli.js' : '../dist/examples/demonstration.js'

try {
  installMissing()
  build({ ifStale: true })
} catch (error) {
  console.error(error.message)
  process.exit(1)
}

const child = spawn(process.execPath, [fileURLToPath(new URL(program, import.meta.url)), ...args], { stdio: 'inherit' })

// Whoever is told to stop waits for the child to stop. A terminal sends its Ctrl-C to both of us: passing it on there would be a
// second one, which asks a program that is closing to give up.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
  })
}

// npm passes SIGTERM on to the shell between it and us, and that one just dies: losing the parent is how we learn of it.
if (process.env.npm_lifecycle_event !== undefined) {
  setInterval(() => {
    if (process.ppid !== parent) child.kill('SIGTERM')
  }, 500).unref()
}

child.on('error', (error) => {
  console.error(error.message)
  process.exitCode = 1
})
child.on('exit', (code, signal) => {
  // 128 + n is how a shell tells that a signal ended it.
  process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0)
})
