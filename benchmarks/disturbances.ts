import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { contenders, startContender, fileOf } from './contenders.ts'
import { launch, type Launched } from './launch.ts'
import { startOrigins } from './origin.ts'
import { paced, run } from './paced/index.ts'
import type { Crowd, Served } from './paced/crowd.ts'
import type { Quantiles } from './paced/load.ts'
import { publishMeasured } from './publish.ts'
import { table } from './report.ts'
import { direct } from './results.ts'
import { smallGet } from './scenarios/small-get.ts'
import { median } from './statistics.ts'
import { versions } from './versions.ts'
import { hasWrk, wrk } from './wrk.ts'

/*
 * A steady load, and what it feels of others: `npm run bench:disturbances`. That load, the crowd and the origin share their cores, so that the origin by itself
 * shows how much of it they are to each other.
 */

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    rate: { type: 'string', default: '2000' },
    only: { type: 'string', default: 'ours,fastify-http-proxy,floor' },
    publish: { type: 'boolean', default: false },
    smoke: { type: 'boolean', default: false }
  }
})
const rounds = flags.smoke ? 1 : Number(flags.rounds)
const rate = flags.smoke ? 200 : Number(flags.rate)
const scale = flags.smoke ? 0.05 : 1
const before = flags.smoke ? 1 : 2
const during = flags.smoke ? 1 : 2

/** Until the processes of the load are there, and have warmed up. */
const starting = 1500
const warm = 1

interface Disturbance {
  readonly name: string
  readonly crowds: readonly Omit<Crowd, 'port' | 'at'>[]
  /** Whether one of two endpoints is killed. Who knows of one endpoint only cannot take part. */
  readonly kills: boolean
}

const disturbances: readonly Disturbance[] = [
  { name: 'nothing', crowds: [], kills: false },
  { name: '2,000 new clients at once', crowds: [{ clients: 2000 * scale, path: '/small', upload: 0 }], kills: false },
  { name: '40 downloads of 10 MiB, 40 uploads of 1 MiB', crowds: [{ clients: 40 * scale, path: '/10m', upload: 0 }, { clients: 40 * scale, path: '/echo-length', upload: 1024 * 1024 }], kills: false },
  { name: 'one of two endpoints dies', crowds: [], kills: true }
]

interface Run {
  readonly disturbance: string
  readonly contender: string
  readonly failures: number
  readonly before: Quantiles
  readonly during: Quantiles
  readonly crowds: readonly Served[]
}

if (!hasWrk) {
  console.error('The load comes from wrk, which is not installed: apt-get install wrk')
  // Nothing is shown to work, and nothing is shown to fail.
  process.exit(flags.smoke ? 0 : 2)
}

const started = new Date().toISOString()
const names = flags.only.split(',')
const origins = await startOrigins()
const upstream = `http://127.0.0.1:${origins.fast.port}`
const runs: Run[] = []

for (const disturbance of disturbances) {
  for (let round = 1; round <= rounds; round++) {
    for (const name of disturbance.kills ? ['ours'] : [...names, direct]) {
      const result = await disturb(disturbance, name)
      runs.push(result)
      process.stderr.write(`${disturbance.name} ${round}/${rounds} ${name}: p99.9 ${result.before.p999.toFixed(2)} ms before, ${result.during.p999.toFixed(2)} ms during, ${result.failures} failed\n`)
    }
  }
}

const rows = disturbances.flatMap(({ name: disturbance, crowds, kills }) => (kills ? ['ours'] : [...names, direct]).map((contender) => {
  const own = runs.filter((run) => run.disturbance === disturbance && run.contender === contender)
  const middle = (of: (run: Run) => number): string => `${median(own.map(of)).toFixed(2)} ms`
  const came = crowds.reduce((sum, crowd) => sum + crowd.clients, 0)
  const served = own.map((run) => run.crowds.reduce((sum, crowd) => sum + crowd.served, 0))
  return [
    disturbance, contender,
    middle((run) => run.before.p99), middle((run) => run.during.p99), middle((run) => run.before.p999), middle((run) => run.during.p999), middle((run) => run.during.max),
    String(own.reduce((sum, run) => sum + run.failures, 0)),
    came === 0 ? '' : `${median(served)} of ${came}`,
    came === 0 ? '' : `${Math.round(Math.max(...own.flatMap((run) => run.crowds.map(({ took }) => took))))} ms`
  ]
}))
const text = table([['while', 'proxy', 'p99 before', 'p99 during', 'p99.9 before', 'p99.9 during', 'longest during', 'failed', 'crowd served', 'crowd gone after'], ...rows])
process.stdout.write(`${rate} GETs/s over 64 connections; medians of ${rounds} rounds\n\n${text}\n`)
if (flags.publish) publishMeasured('disturbances', { started, versions: versions(), text: `${rate.toLocaleString('en-US')} GETs per second over 64 connections, ${before} s before and ${during} s during; medians of ${rounds} rounds.\n\n${text}`, data: runs })
// A request that fails because of others is no spike but a fault.
process.exit(runs.some(({ contender, failures, disturbance }) => contender === 'ours' && failures > 0 && !(flags.smoke && isKilling(disturbance))) ? 1 : 0)

/** In the one round of a smoke test it is chance whether somebody was being served when the endpoint died. */
function isKilling (disturbance: string): boolean {
  return disturbances.some(({ name, kills }) => name === disturbance && kills)
}

async function disturb ({ name: disturbance, crowds, kills }: Disturbance, name: string): Promise<Run> {
  const second = kills ? await launch(join(import.meta.dirname, 'origins', 'node.js'), { on: 'rest', upstream: 'none' }) : null
  const proxy = await begin(name, second)
  const port = proxy?.port ?? origins.fast.port
  // Code is compiled first.
  await wrk(smallGet, { name, origin: `http://127.0.0.1:${port}` }, flags.smoke ? 1 : 2, false)

  const at = Date.now() + starting
  const happensAt = at + (warm + before) * 1000
  const killing = second === null ? null : setTimeout(() => { second.kill('SIGKILL') }, happensAt - Date.now())
  const [answered, ...served] = await Promise.all([
    paced({ port, rate, warm, seconds: before + during, split: before, at }),
    ...crowds.map((crowd) => run<Served>('crowd.js', { ...crowd, port, at: happensAt }, 60_000))
  ])
  clearTimeout(killing ?? undefined)
  await proxy?.stop()
  await second?.stop()
  return { disturbance, contender: name, failures: answered.failures, before: answered.before, during: answered.after, crowds: served }
}

async function begin (name: string, second: Launched | null): Promise<Launched | null> {
  if (name === direct) return null
  const contender = contenders.find((one) => one.name === name)
  if (contender === undefined) throw new Error(`there is no contender '${name}'`)
  if (second === null) return await startContender(contender, upstream)
  return await launch(fileOf(contender), { on: 'proxy', upstream, env: { FEATURE: 'pair', SECOND: `http://127.0.0.1:${second.port}` } })
}
