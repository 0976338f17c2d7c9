import { spawn, type ChildProcess } from 'node:child_process'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Bell, type Falsy } from './until.ts'

// ms; a program that starts beside busy others takes its time.
const patience = 30_000

/** One of the package's programs in a process of its own. */
export class Program {
  stdout = ''
  stderr = ''
  readonly #child: ChildProcess
  readonly #bell: Bell = new Bell()
  #code: number | NodeJS.Signals | null = null

  constructor (child: ChildProcess) {
    this.#child = child
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
      this.#bell.ring()
    })
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
      this.#bell.ring()
    })
    // Not 'exit': with 'close' all that it wrote is here.
    child.on('close', (code, signal) => {
      this.#code = code ?? signal
      this.#bell.ring()
    })
  }

  get isOver (): boolean {
    return this.#code !== null
  }

  /** Resolves with the exit code, or the signal that ended it. */
  get exited (): Promise<number | NodeJS.Signals> {
    return this.#bell.until(() => `the end of the program, got ${this.#written()}`, () => this.isOver && { code: this.#code! }, patience).then(({ code }) => code)
  }

  /** Resolves with the first truthy answer of `look`, asked whenever something was written; rejects if the program ends before that. */
  until<T> (what: string, look: (program: Program) => T | Falsy): Promise<T> {
    return this.#bell.until(() => `${what}, got ${this.#written()}`, () => {
      const seen = look(this)
      if (!seen && this.isOver) throw new Error(`the program ended before ${what}: ${this.#written()}`)
      return seen
    }, patience)
  }

  kill (signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  #written (): string {
    return JSON.stringify({ code: this.#code, stdout: this.stdout, stderr: this.stderr })
  }
}

/** Runs a compiled program of the package, named from the root of the build: `lib/cli.js`. It is gone after the test. */
export function launch (t: TestContext, file: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Program {
  const path = fileURLToPath(new URL(`../../${file}`, import.meta.url))
  const child = spawn(process.execPath, [path, ...args], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const program = new Program(child)
  t.after(async () => {
    if (!program.isOver) child.kill('SIGKILL')
    await program.exited
  })
  return program
}
