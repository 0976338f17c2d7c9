import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { launch } from './launch.ts'
import type { Launched } from './launch.ts'
import { program } from './programs.ts'
import type { Feature, Scenario } from './scenario.ts'

export interface Contender {
  /** Also the name of its file in contenders/. */
  readonly name: string
  /** Printed beside its numbers: what it does besides carrying bytes. */
  readonly features: string
  /** A program that has to be installed; null for what npm brings. */
  readonly needs: string | null
  /** A contender that must pass every check to be timed; the others only those of the scenario's own path. */
  readonly isStrict: boolean
}

/** In the order they are run and printed. */
export const contenders: readonly Contender[] = [
  node('ours', 'canary rule, trace context, X-Forwarded-*, Via, access log to /dev/null, metrics, outlier detection, circuit breaker, limits, retries with their budget', true),
  node('ours-plain', 'as ours in small-get, whatever the scenario is about', true),
  node('fastify-http-proxy', 'log off'),
  node('bare-reply-from', 'log off'),
  node('httpxy', 'nothing'),
  node('http-proxy', 'nothing'),
  node('fast-proxy', 'X-Forwarded-Host'),
  node('floor', 'nothing'),
  external('go-httputil', 'go', 'X-Forwarded-For'),
  external('go-httputil-pooled', 'go', 'X-Forwarded-For; with a BufferPool'),
  external('haproxy', 'haproxy', 'log off'),
  external('nginx', 'nginx', 'log off')
]

function node (name: string, features: string, isStrict = false): Contender {
  return { name, features, needs: null, isStrict }
}

function external (name: string, needs: string, features: string): Contender {
  return { name, features, needs, isStrict: false }
}

/** Why it cannot take part on this machine, or null. */
export function absence (contender: Contender): string | null {
  if (contender.needs !== null && program(contender.needs) === null) return `${contender.needs} is not installed`
  if (!existsSync(fileOf(contender))) return 'it is not built'
  return null
}

export async function startContender (contender: Contender, upstream: string, feature: Feature = 'none', node: readonly string[] = []): Promise<Launched> {
  return await launch(fileOf(contender), { on: 'proxy', upstream, env: { FEATURE: feature }, node })
}

/** @param library another build of the package, for ours */
export async function startBuild (library: string, upstream: string, feature: Feature): Promise<Launched> {
  return await launch(fileOf({ name: 'ours' }), { on: 'proxy', upstream, env: { FEATURE: feature, LIBRARY: library } })
}

/** Where a scenario is about a feature `ours-plain` takes part; where it is not it would be `ours` once more. */
export function takesPart ({ name }: Contender, scenario: Scenario): boolean {
  return scenario.contenders === null ? name !== 'ours-plain' : scenario.contenders.includes(name)
}

export function fileOf ({ name }: Pick<Contender, 'name'>): string {
  return join(import.meta.dirname, 'contenders', `${name}.js`)
}
