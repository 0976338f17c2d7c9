import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { checkManners, checkScenario } from './check.ts'
import { absence, startContender } from './contenders.ts'
import type { Contender } from './contenders.ts'
import { cores } from './cores.ts'
import { cpuOf, cpuOn } from './cpu.ts'
import { planOf, usage } from './flags.ts'
import type { Plan } from './flags.ts'
import { folder } from './folder.ts'
import type { Launched } from './launch.ts'
import { startOrigins } from './origin.ts'
import type { Origins } from './origin.ts'
import { report, time } from './report.ts'
import { direct } from './results.ts'
import type { Entrant, Exclusion, Results, Run } from './results.ts'
import type { Scenario } from './scenario.ts'
import { machine, versions } from './versions.ts'
import { hasWrk, wrk } from './wrk.ts'

/** Enough for V8 to have optimized what it will. */
const warmUpSeconds = 2

const entrants: Entrant[] = []
const runs: Run[] = []
const exclusions: Exclusion[] = []

/** A proxy that listens, or the origin itself. */
interface Started {
  readonly name: string
  readonly port: number
  readonly launched: Launched | null
}

async function main (): Promise<void> {
  const plan = readPlan()
  if (!hasWrk) {
    console.error('The load comes from wrk, which is not installed: apt-get install wrk')
    process.exit(2)
  }

  const results = {
    started: new Date().toISOString(),
    machine: machine(),
    versions: versions()
  }
  const minutes = plan.scenarios.length * (plan.contenders.length + 1) * (plan.rounds * plan.seconds + warmUp(plan) + 1) / 60
  say(`${plan.contenders.length} contenders, ${plan.scenarios.length} scenarios, ${plan.rounds} rounds of ${plan.seconds} s: about ${Math.ceil(minutes)} min`)
  if (cores === null) say('taskset is missing or there is one core only: nothing is pinned')

  const origins = await startOrigins()
  const admitted = await admit(plan.contenders, origins)
  for (const scenario of plan.scenarios) await measure(scenario, admitted, origins, plan)

  finish({
    ...results,
    settings: { rounds: plan.rounds, seconds: plan.seconds, pinned: cores !== null, origin: origins.fastIs },
    entrants,
    runs,
    exclusions
  })
}

function readPlan (): Plan {
  try {
    return planOf(process.argv.slice(2))
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`)
    process.exit(2)
  }
}

/** Asks each contender everything a proxy has to get right, before anybody is timed. */
async function admit (contenders: readonly Contender[], origins: Origins): Promise<Contender[]> {
  const admitted = []
  for (const contender of contenders) {
    let reason = absence(contender)
    let faults: string[] = []

    if (reason === null) {
      try {
        const launched = await startContender(contender, urlOf(origins.scripted))
        faults = await checkManners(launched.port)
        await launched.stop()
      } catch (error) {
        reason = `it does not start: ${(error as Error).message}`
      }
    }
    if (contender.isStrict && faults.length > 0) reason = 'it answers wrongly'

    for (const fault of faults) say(`${contender.name}: wrong answer: ${fault}`)
    if (reason === null) admitted.push(contender)
    else say(`${contender.name} is left out: ${reason}`)
    entrants.push({ name: contender.name, features: contender.features, absence: reason, faults })
  }
  return admitted
}

async function measure (scenario: Scenario, contenders: readonly Contender[], origins: Origins, plan: Plan): Promise<void> {
  const origin = origins[scenario.origin]
  const started: Started[] = []

  // Fresh processes for each scenario: what V8 has learned from other traffic stays out of it.
  for (const contender of contenders) {
    const ready = await prepare(scenario, contender, origin, plan)
    if (ready !== null) started.push(ready)
  }
  started.push({ name: direct, port: origin.port, launched: null })

  for (let round = 1; round <= plan.rounds; round++) {
    for (const { name, port, launched } of started) {
      const before = cpuNow(launched)
      const measured = await wrk(scenario, port, plan.seconds, false)
      const after = cpuNow(launched)

      const cpu = launched && after.proxy - before.proxy
      const foreign = cores && (after.core - before.core - (cpu ?? 0)) / 1e6 / measured.seconds
      const fault = launched?.hasEnded ? `it ended: ${launched.output}` : measured.fault

      runs.push({ scenario: scenario.name, contender: name, round, cpu, foreign, ...measured, fault })
      say(`${scenario.name} ${round}/${plan.rounds} ${name}: ` +
        (fault ?? `${Math.round(measured.requests / measured.seconds)} requests/s${cpu === null ? '' : `, ${time(cpu / measured.requests)}`}`))
    }
  }

  for (const { name, port, launched } of started) {
    // A proxy may go wrong under load in ways that wrk does not count, such as redirects.
    const { fault } = await wrk(scenario, port, 1, true)
    if (fault !== null) exclude(scenario, name, fault)
    await launched?.stop()
  }
}

function cpuNow (launched: Launched | null): { proxy: number, core: number } {
  return {
    proxy: launched === null ? 0 : cpuOf(launched.pid),
    core: cores === null ? 0 : cpuOn(cores.proxy)
  }
}

/** Starts, checks and warms up a contender. null where it answers wrongly. */
async function prepare (scenario: Scenario, contender: Contender, origin: Launched, plan: Plan): Promise<Started | null> {
  let launched: Launched | null = null
  let reason: string | null
  try {
    launched = await startContender(contender, urlOf(origin))
    reason = await checkScenario(scenario, launched.port)
    reason ??= (await wrk(scenario, launched.port, warmUp(plan), true)).fault
  } catch (error) {
    reason = (error as Error).message
  }
  if (reason === null && launched !== null) return { name: contender.name, port: launched.port, launched }

  exclude(scenario, contender.name, reason ?? '')
  await launched?.stop()
  return null
}

function exclude (scenario: Scenario, contender: string, reason: string): void {
  say(`${scenario.name} ${contender} is left out: ${reason}`)
  exclusions.push({ scenario: scenario.name, contender, reason })
}

function finish (results: Results): void {
  const path = join(folder, 'results', `${results.started.replace(/[:.]/g, '-')}.json`)
  mkdirSync(join(folder, 'results'), { recursive: true })
  writeFileSync(path, JSON.stringify(results, null, 2) + '\n')

  process.stdout.write(`\n${report(results)}\n`)
  say(`raw results: ${path}`)

  // A peer may be wrong; when we are, that is a failure of the run.
  const isWrong = results.entrants.some(({ name, absence }) => name === 'ours' && absence !== null) ||
    results.exclusions.some(({ contender }) => contender === 'ours') ||
    results.runs.some(({ contender, fault }) => contender === 'ours' && fault !== null)
  process.exitCode = isWrong ? 1 : 0
}

function warmUp ({ seconds }: Plan): number {
  return Math.min(warmUpSeconds, seconds)
}

function urlOf ({ port }: Launched): string {
  return `http://127.0.0.1:${port}`
}

/** Progress goes to stderr, so that stdout is the report alone. */
function say (line: string): void {
  process.stderr.write(`${line}\n`)
}

// Started by scripts/bench.js: its end is ours.
process.once('disconnect', () => process.exit(1))

main().then(() => process.exit(), (error) => {
  console.error(error)
  process.exit(1)
})
