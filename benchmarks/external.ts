import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { program } from './programs.ts'

/** Given by run.ts, which also removes it. */
const { SCRATCH: scratch } = process.env

/** A contender that is not written for Node: a thin process of ours that starts it and ends with it. */
export function runProgram (path: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): void {
  const child = spawn(path, args, { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, ...env } })
  child.once('error', (error) => { console.error(error.message); process.exit(1) })
  child.once('exit', (code) => process.exit(code ?? 1))

  // Not SIGKILL: an nginx master that cannot tell its worker would leave it behind.
  process.once('exit', () => child.kill('SIGTERM'))
}

export function installed (name: string): string {
  const path = program(name)
  if (path !== null) return path

  console.error(`${name} is not installed`)
  process.exit(3)
}

export function folderFor (contender: string): string {
  const folder = mkdtempSync(join(scratch ?? tmpdir(), `${contender}-`))
  // Started by hand, there is nobody else to do it.
  if (scratch === undefined) process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }))
  return folder
}
