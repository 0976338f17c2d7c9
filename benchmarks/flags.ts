import { parseArgs } from 'node:util'
import { contenders } from './contenders.ts'
import type { Contender } from './contenders.ts'
import { scenarios } from './scenarios/index.ts'
import type { Scenario } from './scenario.ts'

export interface Plan {
  readonly rounds: number
  readonly seconds: number
  readonly contenders: readonly Contender[]
  readonly scenarios: readonly Scenario[]
}

export const usage: string = `npm run bench -- [flags]

  --rounds N         interleaved rounds (5)
  --duration N       seconds of one run (4)
  --only A,B         contenders: ${contenders.map(({ name }) => name).join(' ')}
  --scenario A,B     scenarios: ${scenarios.map(({ name }) => name).join(' ')}
  --smoke            one round of one second of a few of them: shows that the benchmarks work, not who is fast
`

const smoke = {
  rounds: '1',
  duration: '1',
  only: 'ours,fastify-http-proxy,floor',
  scenario: 'small-get,get-64k'
}

/** Throws an error made for the user where the flags make no sense. */
export function planOf (args: readonly string[]): Plan {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string' },
      duration: { type: 'string' },
      only: { type: 'string' },
      scenario: { type: 'string' },
      smoke: { type: 'boolean', default: false }
    }
  })
  const flags = { rounds: '5', duration: '4', ...(values.smoke && smoke), ...values }

  return {
    rounds: count('rounds', flags.rounds),
    seconds: count('duration', flags.duration),
    contenders: chosen('only', flags.only, contenders),
    scenarios: chosen('scenario', flags.scenario, scenarios)
  }
}

function count (flag: string, value: string): number {
  const number = Number(value)
  if (Number.isInteger(number) && number >= 1 && number <= 1000) return number

  throw new Error(`--${flag} has to be a whole number from 1 to 1000, not '${value}'`)
}

function chosen<T extends { readonly name: string }> (flag: string, names: string | undefined, all: readonly T[]): readonly T[] {
  if (names === undefined) return all

  const wanted = names.split(',')
  const unknown = wanted.find((name) => !all.some((one) => one.name === name))
  if (unknown !== undefined) throw new Error(`--${flag} does not know '${unknown}', only ${all.map(({ name }) => name).join(', ')}`)

  return all.filter(({ name }) => wanted.includes(name))
}
