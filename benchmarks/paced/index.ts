import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { pinned } from '../launch.ts'
import type { Answered, Asked } from './load.ts'

/** A load of a constant rate; see load.ts. */
export async function paced (asked: Partial<Asked> & Pick<Asked, 'port' | 'rate' | 'seconds'>): Promise<Answered> {
  return await run<Answered>('load.js', { warm: 1, connections: 64, split: 0, at: 0, ...asked }, (asked.seconds + (asked.warm ?? 1) + 30) * 1000)
}

/** One of the programs of this folder, on the cores of the load, and what it tells. */
export async function run<T> (program: string, asked: object, timeout: number): Promise<T> {
  const [command, ...args] = pinned('rest', [process.execPath, join(import.meta.dirname, program), JSON.stringify(asked)])
  return await new Promise((resolve, reject) => {
    const child = execFile(command!, args, { timeout, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      process.off('exit', kill)
      if (error) reject(new Error(stderr || error.message))
      else resolve(JSON.parse(stdout) as T)
    })
    const kill = (): void => { child.kill('SIGKILL') }
    process.once('exit', kill)
  })
}
