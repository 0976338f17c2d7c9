import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { contenders } from './contenders.ts'
import { judge } from './goals.ts'
import { direct } from './results.ts'
import type { Results, Run } from './results.ts'
import type { Scenario } from './scenario.ts'
import { scenarios } from './scenarios/index.ts'
import { median } from './statistics.ts'

/** Ticks of 10 ms and a passing cron job are no disturbance; a second program at work is. */
const foreignLimit = 0.1

const references = ['fastify-http-proxy', 'floor'] as const

/** The tables of one run of the benchmarks, in Markdown. */
export function report (results: Results): string {
  const { settings, machine } = results
  const parts = [
    `${String(machine.cpu)}, ${machine.cores} cores, Node ${results.versions.node}; origin ${settings.origin}; ` +
    `medians of ${settings.rounds} interleaved rounds of ${settings.seconds} s, (lowest–highest)`
  ]
  if (!settings.pinned) parts.push('**Nothing was pinned: proxy, load and origin shared all cores.**')
  if (settings.rounds < 5) parts.push(`**${settings.rounds} of at least 5 rounds: shows that it runs, not who is fast.**`)

  for (const scenario of scenarios) parts.push(...sectionOf(scenario, results))

  const absent = results.entrants.filter(({ absence }) => absence !== null)
  if (absent.length > 0) parts.push(list('Did not take part:', absent.map(({ name, absence }) => `${name}: ${absence}`)))

  const impolite = results.entrants.flatMap(({ name, faults }) => faults.map((fault) => `${name}: ${fault}`))
  if (impolite.length > 0) parts.push(list('Wrong answers outside the timed paths:', impolite))

  parts.push(list('On:', results.entrants.filter(({ absence }) => absence === null).map(({ name, features }) => `${name}: ${features}`)))
  return parts.join('\n\n') + '\n'
}

/** Heading, table, and what there is to say of it; nothing where it was not run. */
export function sectionOf (scenario: Scenario, results: Results, chart: string | null = null): string[] {
  const { name, what, goals } = scenario
  const runs = results.runs.filter((run) => run.scenario === name)
  if (runs.length === 0) return []

  const { summaries, refused } = summarize(scenario, results)
  const byName = new Map(summaries.map((summary) => [summary.name, summary]))
  const rows = summaries.map((summary) => [
    summary.name,
    summary.cpu === null ? '' : spread(summary.cpu, summary.cpuLeast, summary.cpuMost),
    ...references.map((reference) => ratio(summary.cpu, byName.get(reference)?.cpu)),
    Math.round(summary.rate).toLocaleString('en-US'),
    percent(summary.rate, byName.get(direct)?.rate),
    latency(summary.p50),
    latency(summary.p99),
    summary.busy === null ? '' : percent(summary.busy, 1)
  ])

  const section = [`### ${name}: ${what}`]
  if (chart !== null) section.push(chart)
  section.push(table([
    ['proxy', 'CPU per request', '÷ http-proxy', '÷ floor', 'requests/s', 'of direct', 'p50', 'p99', 'core busy'],
    ...rows
  ]))
  const foreign = Math.max(...runs.map((run) => run.cpu === null ? 0 : run.foreign ?? 0))
  if (foreign > foreignLimit) section.push(`**Other processes took up to ${percent(foreign, 1)} of the proxy's core in a round: repeat it on an idle machine.**`)
  if (refused.length > 0) section.push(list('No number:', refused))

  const verdicts = goals.flatMap((goal) => judge(goal, byName) ?? [])
  if (verdicts.length > 0) section.push(list('Goals:', verdicts))
  return section
}

/** The figures of everybody who has some, and why the others have none. */
export function summarize ({ name: scenario }: Scenario, results: Results): { summaries: Summary[], refused: string[] } {
  const exclusions = results.exclusions.filter((exclusion) => exclusion.scenario === scenario)
  const refused = exclusions.map(({ contender, reason }) => `${contender}: ${reason}`)
  const summaries: Summary[] = []

  for (const name of [...contenders.map(({ name }) => name), direct]) {
    if (exclusions.some(({ contender }) => contender === name)) continue
    const own = results.runs.filter((run) => run.scenario === scenario && run.contender === name)
    const faulty = own.filter(({ fault }) => fault !== null)

    // One wrong answer and the whole contender has no number here: a fast error is no performance.
    if (faulty.length > 0) refused.push(`${name}: void, ${faulty.map(({ round, fault }) => `round ${round}: ${fault}`).join('; ')}`)
    else if (own.length > 0) summaries.push(summaryOf(name, own))
  }
  return { summaries, refused }
}

export interface Summary {
  readonly name: string
  /** Microseconds per request. */
  readonly cpu: number | null
  readonly cpuLeast: number
  readonly cpuMost: number
  readonly rate: number
  readonly p50: number
  readonly p99: number
  /** Share of its one core. */
  readonly busy: number | null
}

function summaryOf (name: string, runs: readonly Run[]): Summary {
  const cpu = runs.flatMap((run) => run.cpu === null ? [] : run.cpu / run.requests)
  const busy = runs.flatMap((run) => run.cpu === null ? [] : run.cpu / 1e6 / run.seconds)
  return {
    name,
    cpu: cpu.length === 0 ? null : median(cpu),
    cpuLeast: Math.min(...cpu),
    cpuMost: Math.max(...cpu),
    rate: median(runs.map(({ requests, seconds }) => requests / seconds)),
    p50: median(runs.map(({ p50 }) => p50)),
    p99: median(runs.map(({ p99 }) => p99)),
    busy: busy.length === 0 ? null : median(busy)
  }
}

export function time (microseconds: number): string {
  if (microseconds >= 1000) return `${(microseconds / 1000).toFixed(2)} ms`
  return `${microseconds.toFixed(1)} µs`
}

/** All three in the unit of the middle one. */
function spread (middle: number, least: number, most: number): string {
  const [unit, digits] = middle >= 1000 ? [1000, 2] : [1, 1]
  return `${time(middle)} (${(least / unit).toFixed(digits)}–${(most / unit).toFixed(digits)})`
}

function latency (milliseconds: number): string {
  return time(milliseconds * 1000)
}

function ratio (one: number | null, other: number | null | undefined): string {
  return one === null || other == null ? '' : (one / other).toFixed(2)
}

function percent (part: number, whole: number | undefined): string {
  return whole === undefined ? '' : `${(part / whole * 100).toFixed(1)} %`
}

export function list (head: string, lines: readonly string[]): string {
  return [head, ...lines.map((line) => `- ${line}`)].join('\n')
}

export function table ([head, ...rows]: readonly (readonly string[])[]): string {
  if (head === undefined) return ''
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)))
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)).join(' | ')} |`

  const rule = widths.map((width, column) => column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)
  return [line(head), line(rule), ...rows.map(line)].join('\n')
}

// node dist/benchmarks/report.js benchmarks/results/FILE.json prints the tables again.
if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  process.stdout.write(report(JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Results))
}
