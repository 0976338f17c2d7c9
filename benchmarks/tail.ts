import { parseArgs } from 'node:util'
import { absence, type Contender, contenders, startContender } from './contenders.ts'
import { cores } from './cores.ts'
import type { Launched } from './launch.ts'
import { startOrigins } from './origin.ts'
import { paced } from './paced/index.ts'
import type { Quantiles } from './paced/load.ts'
import { publishMeasured } from './publish.ts'
import { list, table } from './report.ts'
import { smallGet } from './scenarios/small-get.ts'
import { median } from './statistics.ts'
import { versions } from './versions.ts'
import { hasWrk, wrk } from './wrk.ts'

/*
 * Latency at a constant rate, at shares of what each proxy carries at most. `npm run bench:tail`; see docs/performance.md.
 */

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    duration: { type: 'string', default: '4' },
    /** Contenders that are Node programs take part once more with these, `--node=--min-semi-space-size=16` for one. */
    node: { type: 'string', default: '' },
    only: { type: 'string', default: 'ours,fastify-http-proxy,floor,go-httputil' },
    publish: { type: 'boolean', default: false },
    smoke: { type: 'boolean', default: false }
  }
})
const rounds = flags.smoke ? 1 : Number(flags.rounds)
const seconds = flags.smoke ? 1 : Number(flags.duration)
const shares = [0.5, 0.8]

/** Milliseconds over the origin by itself, at half of saturation. */
const goals = { p99: 1, p999: 3 } as const

interface Run {
  readonly contender: string
  readonly share: number
  readonly rate: number
  readonly failures: number
  readonly through: Quantiles
  readonly direct: Quantiles
}

if (!hasWrk) {
  console.error('The load comes from wrk, which is not installed: apt-get install wrk')
  // Nothing is shown to work, and nothing is shown to fail.
  process.exit(flags.smoke ? 0 : 2)
}

const started = new Date().toISOString()
const names = flags.only.split(',')
const chosen = contenders.filter((contender) => names.includes(contender.name) && absence(contender) === null)
const origins = await startOrigins()
const origin = `http://127.0.0.1:${origins.fast.port}`

const standing: { name: string, launched: Launched, saturation: number }[] = []
for (const [contender, node] of chosen.flatMap(variants)) {
  const name = node === '' ? contender.name : `${contender.name} ${node}`
  const launched = await startContender(contender, origin, 'none', node === '' ? [] : node.split(' '))
  const addressee = { name, origin: `http://127.0.0.1:${launched.port}` }
  await wrk(smallGet, addressee, flags.smoke ? 1 : 3, false)
  const { requests, seconds: took, fault } = await wrk(smallGet, addressee, flags.smoke ? 1 : 3, false)
  if (fault !== null) throw new Error(`${name}: ${fault}`)
  standing.push({ name, launched, saturation: requests / took })
  say(`${name} carries ${Math.round(requests / took)}/s`)
}

const runs: Run[] = []
for (let round = 1; round <= rounds; round++) {
  for (const share of shares) {
    for (const { name, launched, saturation } of standing) {
      const rate = Math.round(saturation * share)
      const through = await paced({ port: launched.port, rate, seconds })
      const direct = await paced({ port: origins.fast.port, rate, seconds })
      runs.push({ contender: name, share, rate, failures: through.failures, through: through.all, direct: direct.all })
      say(`${round}/${rounds} ${name} ${share * 100} %: p99 ${through.all.p99.toFixed(2)} ms, p99.9 ${through.all.p999.toFixed(2)} ms; direct ${direct.all.p99.toFixed(2)}, ${direct.all.p999.toFixed(2)}`)
    }
  }
}

const rows = shares.flatMap((share) => standing.map(({ name }) => rowOf(name, share)))
const text = [
  table([['proxy', 'of saturation', 'requests/s', 'p50 added', 'p99 added', 'p99.9 added', 'p99 of direct', 'p99.9 of direct'], ...rows.map(({ cells }) => cells)]),
  list('Goals:', rows.flatMap(({ verdict }) => verdict ?? []))
].join('\n\n')
process.stdout.write(`${cores === null ? 'Nothing was pinned.\n\n' : ''}${text}\n`)
if (flags.publish) publishMeasured('tail', { started, versions: versions(), text, data: runs })
process.exit()

function variants (contender: Contender): [Contender, node: string][] {
  return contender.needs === null && flags.node !== '' ? [[contender, ''], [contender, flags.node]] : [[contender, '']]
}

function rowOf (name: string, share: number): { cells: string[], verdict: string | null } {
  const own = runs.filter((run) => run.contender === name && run.share === share)
  const added = (quantile: keyof Quantiles): number => median(own.map(({ through, direct }) => through[quantile] - direct[quantile]))
  const spread = (quantile: keyof Quantiles): string => {
    const all = own.map(({ through, direct }) => through[quantile] - direct[quantile])
    return `${ms(median(all))} (${Math.min(...all).toFixed(2)}–${Math.max(...all).toFixed(2)})`
  }
  const failures = own.reduce((sum, run) => sum + run.failures, 0)
  const isMet = added('p99') <= goals.p99 && added('p999') <= goals.p999
  return {
    cells: [
      failures > 0 ? `${name} (${failures} failed)` : name, `${share * 100} %`, own[0]!.rate.toLocaleString('en-US'),
      ms(added('p50')), spread('p99'), spread('p999'),
      ms(median(own.map(({ direct }) => direct.p99))), ms(median(own.map(({ direct }) => direct.p999)))
    ],
    verdict: name === 'ours' && share === 0.5
      ? `at half of saturation ${ms(added('p99'))} added to the p99, the goal ${goals.p99} ms, and ${ms(added('p999'))} to the p99.9, the goal ${goals.p999} ms: ${isMet ? 'met' : 'missed'}`
      : null
  }
}

function ms (value: number): string {
  return `${value.toFixed(2)} ms`
}

function say (line: string): void {
  process.stderr.write(`${line}\n`)
}
