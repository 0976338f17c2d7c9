import { join } from 'node:path'
import { launch } from './launch.ts'
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
  return await launch(join(import.meta.dirname, 'origins', `${name}.js`), { on: 'rest', upstream: 'none' })
}
