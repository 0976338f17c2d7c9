import { parseArgs } from 'node:util'
import { checkScenario } from './check.ts'
import { startBuild } from './contenders.ts'
import { cores } from './cores.ts'
import { cpuOf } from './cpu.ts'
import { folder } from './folder.ts'
import type { Launched } from './launch.ts'
import { type Origins, startOrigins } from './origin.ts'
import { buildOf, libraryIn } from './other-build.ts'
import { scenarios } from './scenarios/index.ts'
import type { Scenario } from './scenario.ts'
import { median, middleOf } from './statistics.ts'
import { machine } from './versions.ts'
import { hasWrk, wrk } from './wrk.ts'

/*
 * This build beside that of another commit: `npm run bench -- --against COMMIT`. Both are served by the same program with the same options, in one
 * run and in turns, and the ratio of neighbours counts, CPU time of this build over that of the other. Each launch of a process optimizes a little
 * differently, by one or two per cent for its whole life, so there are several.
 *
 * Both are under load at once, and one of them is stopped at any moment. A request costs up to twice as much while another tenant of the machine
 * uses the other half of the core, for seconds: turns as short as these share it evenly, where turns of two seconds differed by 40 %.
 */

const usage = `npm run bench -- --against COMMIT [flags]

  --scenario A,B     scenarios (small-get): ${scenarios.map(({ name }) => name).join(' ')}
  --rounds N         pairs of runs in each (40)
  --duration N       seconds that each build runs in a round (2)
  --launches N       how often both are started anew (6)
`

/** Milliseconds of a turn. Long against a timer's lateness, short against the visits of a neighbour. */
const TURN = 40
/** Seconds until V8 has optimized what it will: the rest is small, and falls on both. */
const WARM_UP = 3
/** Of the median, or of the end of its middle 90 %: what neighbours differ by where both builds are the same commit. */
const MEDIAN_LIMIT = 1.01
const END_LIMIT = 1.03

interface Build {
  readonly name: string
  readonly library: string
}

interface Plan {
  readonly against: string
  readonly scenarios: readonly Scenario[]
  readonly rounds: number
  readonly seconds: number
  readonly launches: number
}

interface Pair {
  readonly ours: Launched
  readonly other: Launched
}

async function main (): Promise<void> {
  const plan = readPlan()
  if (!hasWrk) return fail('The load comes from wrk, which is not installed: apt-get install wrk')
  const { commit, library } = buildOf(plan.against)
  const here = { name: 'this build', library: libraryIn(`${folder}/..`) }
  const there = { name: commit.slice(0, 7), library }
  console.log(`${here.name} ÷ ${there.name}, CPU time per request, on ${machine()['cpu']}${cores === null ? '; nothing is pinned' : ''}`)
  const origins = await startOrigins()
  for (const scenario of plan.scenarios) {
    const ratios = await measure(scenario, here, there, origins, plan)
    if (!tell(scenario, ratios)) process.exitCode = 1
  }
}

function readPlan (): Plan {
  try {
    const { values } = parseArgs({
      options: {
        against: { type: 'string' },
        scenario: { type: 'string', default: 'small-get' },
        rounds: { type: 'string', default: '40' },
        duration: { type: 'string', default: '2' },
        launches: { type: 'string', default: '6' }
      }
    })
    const names = values.scenario.split(',')
    const chosen = scenarios.filter(({ name }) => names.includes(name))
    if (values.against === undefined || chosen.length !== names.length) throw new Error(`unknown among --scenario ${values.scenario}`)
    return { against: values.against, scenarios: chosen, rounds: count(values.rounds), seconds: count(values.duration), launches: count(values.launches) }
  } catch (error) {
    return fail(`${(error as Error).message}\n\n${usage}`)
  }
}

function fail (message: string): never {
  console.error(message)
  process.exit(2)
}

function count (value: string): number {
  const number = Number(value)
  if (Number.isInteger(number) && number >= 1 && number <= 1000) return number
  throw new Error(`not '${value}', but a whole number from 1 to 1000`)
}

async function measure (scenario: Scenario, here: Build, there: Build, origins: Origins, { rounds, seconds, launches }: Plan): Promise<number[]> {
  const ratios: number[] = []
  let pair: Pair | null = null
  let launch = 0
  for (let round = 0; round < rounds; round++) {
    if (pair === null || Math.floor(round * launches / rounds) !== Math.floor((round - 1) * launches / rounds)) {
      await Promise.all([pair?.ours.stop(), pair?.other.stop()])
      pair = await startBoth(scenario, here, there, origins, launch++ % 2 === 0)
    }
    const { ours, other } = await costs(scenario, pair, seconds)
    ratios.push(ours / other)
  }
  await Promise.all([pair?.ours.stop(), pair?.other.stop()])
  return ratios
}

/** Warms both up in turns too: memory of a process that waits for the other one's warm-up is no longer as near. */
async function startBoth (scenario: Scenario, here: Build, there: Build, origins: Origins, isOursFirst: boolean): Promise<Pair> {
  const first = await start(scenario, isOursFirst ? here : there, origins)
  const second = await start(scenario, isOursFirst ? there : here, origins)
  const pair = isOursFirst ? { ours: first, other: second } : { ours: second, other: first }
  const turns = takeTurns(first, second)
  try {
    await Promise.all([pair.ours, pair.other].map((launched) => load(scenario, launched, WARM_UP * 2, true)))
  } finally {
    turns.end()
  }
  return pair
}

async function start (scenario: Scenario, { name, library }: Build, origins: Origins): Promise<Launched> {
  const launched = await startBuild(library, `http://127.0.0.1:${origins[scenario.origin].port}`, scenario.feature)
  const fault = await checkScenario(scenario, { name: 'ours', origin: originOf(scenario, launched) })
  if (fault !== null) throw new Error(`${scenario.name}, ${name}: ${fault}`)
  return launched
}

/** Microseconds of CPU time for one request of each: in two halves, each of which gives another one the first turn. */
async function costs (scenario: Scenario, { ours, other }: Pair, seconds: number): Promise<{ ours: number, other: number }> {
  const [oursFirst, otherSecond] = await half(scenario, ours, other, seconds)
  const [otherFirst, oursSecond] = await half(scenario, other, ours, seconds)
  return { ours: perRequest(oursFirst, oursSecond), other: perRequest(otherFirst, otherSecond) }
}

interface Cost {
  readonly requests: number
  readonly microseconds: number
}

function perRequest (one: Cost, another: Cost): number {
  return (one.microseconds + another.microseconds) / (one.requests + another.requests)
}

async function half (scenario: Scenario, first: Launched, second: Launched, seconds: number): Promise<[Cost, Cost]> {
  const turns = takeTurns(first, second)
  try {
    return await Promise.all([costOf(scenario, first, seconds), costOf(scenario, second, seconds)])
  } finally {
    turns.end()
  }
}

/** Lets one run at a time, until the end. */
function takeTurns (first: Launched, second: Launched): { end: () => void } {
  let [running, stopped] = [second, first]
  const turn = (): void => {
    [running, stopped] = [stopped, running]
    stopped.kill('SIGSTOP')
    running.kill('SIGCONT')
  }
  turn()
  const timer = setInterval(turn, TURN)
  return {
    end: () => {
      clearInterval(timer)
      stopped.kill('SIGCONT')
    }
  }
}

async function costOf (scenario: Scenario, launched: Launched, seconds: number): Promise<Cost> {
  const before = cpuOf(launched.pid)
  const requests = await load(scenario, launched, seconds, false)
  return { requests, microseconds: cpuOf(launched.pid) - before }
}

/** @returns how many requests were answered */
async function load (scenario: Scenario, launched: Launched, seconds: number, everyAnswer: boolean): Promise<number> {
  const { requests, fault } = await wrk(scenario, { name: 'ours', origin: originOf(scenario, launched) }, seconds, everyAnswer)
  if (fault !== null) throw new Error(`${scenario.name}: ${fault}`)
  return requests
}

function originOf ({ feature }: Scenario, { port }: Launched): string {
  return `${feature === 'tls' ? 'https' : 'http'}://127.0.0.1:${port}`
}

/** @returns true where nothing has become slower */
function tell ({ name }: Scenario, ratios: readonly number[]): boolean {
  const middle = median(ratios)
  const [low, high] = middleOf(ratios, Math.random)
  const isAsFast = middle <= MEDIAN_LIMIT || (low <= 1 && high < END_LIMIT)
  console.log(`${name}: rounds ${ratios.map((ratio) => ratio.toFixed(3)).join(' ')}`)
  console.log(`${name}: median ${middle.toFixed(3)}, middle 90 % ${low.toFixed(3)} to ${high.toFixed(3)}: ${isAsFast ? 'no slower' : 'SLOWER'}`)
  return isAsFast
}

// Started by scripts/bench.js: its end is ours.
process.once('disconnect', () => process.exit(1))

main().then(() => process.exit(), (error) => {
  console.error((error as Error).message)
  process.exit(1)
})
