import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { contenders, startContender } from './contenders.ts'
import { cores } from './cores.ts'
import { cpuOf } from './cpu.ts'
import { folder } from './folder.ts'
import { startOrigins } from './origin.ts'
import { smallGet } from './scenarios/small-get.ts'
import { median } from './statistics.ts'
import { versions } from './versions.ts'
import { hasWrk, wrk } from './wrk.ts'

/*
 * Whether a small GET costs more than it did, as CPU time of ours over that of the floor: `npm run bench:ratio`. For every change, so it is short, and fails
 * only where there is no doubt: rounds in turns, the median of the ratios of neighbours, and a second look before it says so. `--store` keeps what it finds.
 */

const { values: flags } = parseArgs({ options: { rounds: { type: 'string', default: '9' }, store: { type: 'boolean', default: false } } })
const rounds = Number(flags.rounds)
const file = join(folder, 'ratio.json')

interface Stored {
  readonly scenario: string
  readonly against: string
  readonly ratio: number
  /** How much more it may be, as a factor, and why that much. */
  readonly tolerance: number
  readonly because: string
  readonly versions: Readonly<Record<string, string>>
}

const stored = JSON.parse(readFileSync(file, 'utf8')) as Stored

if (!hasWrk) {
  console.error('!!!!! wrk is not installed: CPU time per request was NOT checked !!!!!')
  process.exit(0)
}

const origins = await startOrigins()
const [ours, floor] = await Promise.all(['ours', stored.against].map(async (name) => {
  const contender = contenders.find((one) => one.name === name)!
  const launched = await startContender(contender, `http://127.0.0.1:${origins.fast.port}`)
  return { name, origin: `http://127.0.0.1:${launched.port}`, pid: launched.pid }
}))

// Until V8 has optimized what it will: the floor has less code and is there sooner.
for (const one of [ours!, floor!]) await wrk(smallGet, one, 4, false)

let ratio = await measure()
if (!flags.store && ratio > stored.ratio * stored.tolerance) {
  console.log(`${ratio.toFixed(2)} is more than ${stored.ratio} × ${stored.tolerance}; once more, with twice the rounds`)
  ratio = await measure(2)
}
const verdict = `small GET, CPU per request: ours ÷ ${stored.against} is ${ratio.toFixed(2)}, stored ${stored.ratio}, at most ${(stored.ratio * stored.tolerance).toFixed(2)}${cores === null ? ' (nothing pinned)' : ''}`
console.log(verdict)
if (flags.store) writeFileSync(file, JSON.stringify({ ...stored, ratio: Number(ratio.toFixed(2)), versions: versions() }, null, 2) + '\n')
process.exit(!flags.store && ratio > stored.ratio * stored.tolerance ? 1 : 0)

async function measure (times = 1): Promise<number> {
  const ratios: number[] = []
  for (let round = 0; round < rounds * times; round++) {
    // In turns also who is first: what comes and goes in the neighbourhood then falls on both.
    const order = round % 2 === 0 ? [ours!, floor!] : [floor!, ours!]
    const cost = new Map<string, number>()
    for (const one of order) {
      const before = cpuOf(one.pid)
      const { requests, fault } = await wrk(smallGet, one, 1, false)
      if (fault !== null) throw new Error(`${one.name}: ${fault}`)
      cost.set(one.name, (cpuOf(one.pid) - before) / requests)
    }
    ratios.push(cost.get('ours')! / cost.get(stored.against)!)
  }
  console.log(`rounds: ${ratios.map((one) => one.toFixed(2)).join(' ')}`)
  return median(ratios)
}
