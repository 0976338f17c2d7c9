import type { TestContext } from 'node:test'
import { ownPort } from '../helpers/ports.ts'
import { launch, type Program } from '../helpers/program.ts'

/** One upstream process, which may be another at another time, always on the same port. */
export class Member {
  readonly port: number
  pid = 0
  readonly #t: TestContext
  readonly #file: string
  readonly #args: readonly string[]
  #program: Program | null = null

  constructor (t: TestContext, port: number, file: string, args: readonly string[]) {
    this.#t = t
    this.port = port
    this.#file = file
    this.#args = args
  }

  get url (): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Resolves once it listens. */
  async start (): Promise<void> {
    this.#program = launch(this.#t, `test/scenarios/${this.#file}`, [String(this.port), ...this.#args])
    this.pid = await this.#program.until('that it listens', ({ stdout }) => Number(/^pid (\d+)/.exec(stdout)?.[1]))
  }

  async kill (): Promise<void> {
    this.#program!.kill('SIGKILL')
    await this.#program!.exited
  }

  signal (signal: NodeJS.Signals): void {
    this.#program!.kill(signal)
  }
}

/** Upstream processes that answer with these statuses; 0 is one that is not there. */
export async function fleet (t: TestContext, statuses: readonly number[]): Promise<Member[]> {
  return Promise.all(statuses.map(async (status) => {
    const member = new Member(t, await ownPort(), 'upstream.js', [String(status)])
    if (status !== 0) await member.start()
    return member
  }))
}

/** One process of another program of this folder. */
export async function lone (t: TestContext, file: string, ...args: string[]): Promise<Member> {
  const member = new Member(t, await ownPort(), file, args)
  await member.start()
  return member
}
