import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { accepts, launch } from './launch.ts'
import type { Launched } from './launch.ts'
import { program } from './programs.ts'

export interface Origins {
  /** nginx where it is installed, so that the origin is never what is measured. */
  readonly fast: Launched
  /** node:http in a process of its own: it can wait, echo, redirect and set cookies. */
  readonly scripted: Launched
  readonly fastIs: 'nginx' | 'node:http'
}

/** The origins everybody proxies, on the cores of the load. */
export async function startOrigins (): Promise<Origins> {
  const scripted = await start('node')
  if (program('nginx') === null) return { fast: scripted, scripted, fastIs: 'node:http' }

  return { fast: await start('nginx'), scripted, fastIs: 'nginx' }
}

async function start (name: string): Promise<Launched> {
  // They share the contract of the contenders, but have nobody behind them.
  const path = join(import.meta.dirname, 'origins', `${name}.js`)
  for (let attempt = 1; ; attempt++) {
    const launched = await launch(path, { on: 'rest', upstream: 'none' })
    // The port was free on one of its nine addresses; on another one somebody else may have it.
    if (await listensEverywhere(launched)) return launched
    await launched.stop()
    if (attempt === 3) throw new Error(`the origin does not listen on all addresses: ${launched.output}`)
  }
}

async function listensEverywhere (launched: Launched): Promise<boolean> {
  for (let tries = 0; tries < 40 && !launched.hasEnded; tries++) {
    if (await accepts(launched.port, '127.0.0.8') && await accepts(launched.port, '127.0.0.9')) return true
    await sleep(100)
  }
  return false
}
