import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { checkManners, checkScenario } from './check.ts'
import { absence, startContender, takesPart } from './contenders.ts'
import type { Contender } from './contenders.ts'
import { cores } from './cores.ts'
import { cpuOf, cpuOn } from './cpu.ts'
import { minutesOf, planOf, usage, warmUp } from './flags.ts'
import type { Plan } from './flags.ts'
import { folder } from './folder.ts'
import type { Launched } from './launch.ts'
import { startOrigins } from './origin.ts'
import type { Origins } from './origin.ts'
import { publish, readPublished } from './publish.ts'
import { report, time } from './report.ts'
import { direct } from './results.ts'
import type { Entrant, Exclusion, Results, Run } from './results.ts'
import type { Scenario } from './scenario.ts'
import { machine, versions } from './versions.ts'
import { hasWrk, wrk, type Addressee } from './wrk.ts'

const entrants: Entrant[] = []
const runs: Run[] = []
const exclusions: Exclusion[] = []

/** A proxy that listens, or the origin itself. */
interface Started extends Addressee {
  readonly launched: Launched | null
}

async function main (): Promise<void> {
  const plan = readPlan()
  if (!hasWrk) {
    console.error('!!!!! The load comes from wrk, which is not installed: apt-get install wrk !!!!!')
    if (!process.argv.includes('--smoke')) process.exit(2)
    return checkAlone(plan)
  }
  if (plan.scenarios.length === 0) return say('nothing is left to be measured')

  const started = new Date().toISOString()
  const about = { started, machine: machine(), versions: versions() }
  say(`${plan.contenders.length} contenders, ${plan.scenarios.length} scenarios, ${plan.rounds} rounds of ${plan.seconds} s: about ${Math.ceil(minutesOf(plan))} min`)
  if (cores === null) say('taskset is missing or there is one core only: nothing is pinned')

  const origins = await startOrigins()
  const admitted = await admit(plan.contenders, origins)
  const settings = { rounds: plan.rounds, seconds: plan.seconds, pinned: cores !== null, origin: origins.fastIs }
  const results: Results = { ...about, settings, entrants, runs, exclusions }
  const path = join(folder, 'results', `${started.replace(/[:.]/g, '-')}.json`)
  for (const scenario of plan.scenarios) {
    await measure(scenario, admitted.filter((contender) => takesPart(contender, scenario)), origins, plan)
    // What is there stays there, whatever becomes of the rest.
    keep(path, results)
    if (plan.publish) publish(results, scenario.name)
  }
  finish(results, path)
}

/** What there is to see without a load: that those who would be measured start, and answer as they should. */
async function checkAlone (plan: Plan): Promise<void> {
  await admit(plan.contenders, await startOrigins())
  for (const { name, absence } of entrants) say(`${name}: ${absence ?? 'starts and answers as it should; NOT put under load'}`)
  process.exitCode = entrants.some(({ name, absence }) => isOurs(name) && absence !== null) ? 1 : 0
}

function readPlan (): Plan {
  try {
    const plan = planOf(process.argv.slice(2))
    if (!plan.resume) return plan

    const { scenarios } = readPublished()
    const commit = versions()['fastify-sluice commit']
    return { ...plan, scenarios: plan.scenarios.filter(({ name }) => scenarios[name]?.versions['fastify-sluice commit'] !== commit) }
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
        faults = await checkManners(urlOf(launched))
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
  started.push({ name: direct, origin: scenario.feature === 'tls' ? `https://127.0.0.9:${origin.port}` : urlOf(origin), launched: null })

  if (origin.hasEnded) throw new Error(`the origin ended: ${origin.output}`)

  for (let round = 1; round <= plan.rounds; round++) {
    for (const one of started) {
      const { name, launched } = one
      const before = cpuNow(launched)
      const measured = await wrk(scenario, one, plan.seconds, false)
      const after = cpuNow(launched)

      const cpu = launched && after.proxy - before.proxy
      const foreign = cores && (after.core - before.core - (cpu ?? 0)) / 1e6 / measured.seconds
      const fault = launched?.hasEnded ? `it ended: ${launched.output}` : measured.fault

      runs.push({ scenario: scenario.name, contender: name, round, cpu, foreign, ...measured, fault })
      say(`${scenario.name} ${round}/${plan.rounds} ${name}: ` +
        (fault ?? `${Math.round(measured.requests / measured.seconds)} requests/s${cpu === null ? '' : `, ${time(cpu / measured.requests)}`}`))
    }
  }

  for (const one of started) {
    // A proxy may go wrong under load in ways that wrk does not count, such as redirects.
    const { fault } = await wrk(scenario, one, 1, true)
    if (fault !== null) exclude(scenario, one.name, fault)
    await one.launched?.stop()
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
  const { name } = contender
  let launched: Launched | null = null
  let reason: string | null
  try {
    launched = await startContender(contender, urlOf(origin), scenario.feature)
    const started = { name, origin: urlOf(launched, scenario.feature === 'tls'), launched }
    reason = await checkScenario(scenario, started)
    reason ??= (await wrk(scenario, started, warmUp(plan), true)).fault
    if (reason === null) return started
  } catch (error) {
    reason = (error as Error).message
  }

  exclude(scenario, name, reason)
  await launched?.stop()
  return null
}

function exclude (scenario: Scenario, contender: string, reason: string): void {
  say(`${scenario.name} ${contender} is left out: ${reason}`)
  exclusions.push({ scenario: scenario.name, contender, reason })
}

function keep (path: string, results: Results): void {
  mkdirSync(join(folder, 'results'), { recursive: true })
  writeFileSync(path, JSON.stringify(results, null, 2) + '\n')
}

function finish (results: Results, path: string): void {
  process.stdout.write(`\n${report(results)}\n`)
  say(`raw results: ${path}`)

  // A peer may be wrong; when we are, that is a failure of the run.
  const isWrong = results.entrants.some(({ name, absence }) => isOurs(name) && absence !== null) ||
    results.exclusions.some(({ contender }) => isOurs(contender)) ||
    results.runs.some(({ contender, fault }) => isOurs(contender) && fault !== null)
  process.exitCode = isWrong ? 1 : 0
}

function isOurs (name: string): boolean {
  return name === 'ours' || name === 'ours-plain'
}

function urlOf ({ port }: Launched, isSecure = false): string {
  return `${isSecure ? 'https' : 'http'}://127.0.0.1:${port}`
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
