import { parseArgs } from 'node:util'
import { contenders, takesPart } from './contenders.ts'
import type { Contender } from './contenders.ts'
import { scenarios } from './scenarios/index.ts'
import type { Scenario } from './scenario.ts'

export interface Plan {
  readonly rounds: number
  readonly seconds: number
  readonly contenders: readonly Contender[]
  readonly scenarios: readonly Scenario[]
  /** Whether scenarios are left out that the published figures have of this same commit. */
  readonly resume: boolean
  /** Whether tables, charts and figures in the repository are replaced. */
  readonly publish: boolean
}

/** Until V8 has optimized most of what it will. The rest falls into the first rounds: docs/performance.md, Pauses. */
const warmUpSeconds = 2

export const usage: string = `npm run bench -- [flags]

  --rounds N         interleaved rounds (5)
  --duration N       seconds of one run (3)
  --minutes N        in place of --duration: as many seconds as fit, and one at least
  --only A,B         contenders: ${contenders.map(({ name }) => name).join(' ')}
  --scenario A,B     scenarios: ${scenarios.map(({ name }) => name).join(' ')}
  --publish          writes what is measured into docs/performance.md, docs/performance/*.svg and benchmarks/published.json
  --resume           leaves out what benchmarks/published.json has of this commit; goes with --publish
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
      minutes: { type: 'string' },
      only: { type: 'string' },
      scenario: { type: 'string' },
      publish: { type: 'boolean', default: false },
      resume: { type: 'boolean', default: false },
      smoke: { type: 'boolean', default: false }
    }
  })
  const flags = { rounds: '5', duration: '3', ...(values.smoke && smoke), ...values }

  const plan: Plan = {
    rounds: count('rounds', flags.rounds),
    seconds: count('duration', flags.duration),
    contenders: chosen('only', flags.only, contenders),
    scenarios: chosen('scenario', flags.scenario, scenarios),
    resume: flags.resume,
    publish: flags.publish
  }
  if (flags.minutes === undefined) return plan

  const most = count('minutes', flags.minutes)
  let seconds = 10
  while (seconds > 1 && minutesOf({ ...plan, seconds }) > most) seconds--
  return { ...plan, seconds }
}

export function warmUp ({ seconds }: Plan): number {
  return Math.min(warmUpSeconds, seconds)
}

/** How long a plan takes: rounds, warm-up, the last look at every answer, and starting and checking. */
export function minutesOf (plan: Plan): number {
  const each = plan.rounds * plan.seconds + warmUp(plan) + 2.5
  return plan.scenarios.reduce((sum, scenario) => sum + (plan.contenders.filter((contender) => takesPart(contender, scenario)).length + 1) * each, 0) / 60
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
