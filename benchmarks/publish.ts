import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { svg, type Chart } from './chart.ts'
import { folder } from './folder.ts'
import { list, sectionOf, summarize, time, type Summary } from './report.ts'
import { direct } from './results.ts'
import type { Results } from './results.ts'
import type { Scenario } from './scenario.ts'
import { scenarios } from './scenarios/index.ts'

/** What docs/performance.md shows: of each scenario the run that was published last, with its machine and versions. */
export interface Published {
  scenarios: Record<string, Results>
  /** What other programs than run.ts have measured, as the text that is shown of it. */
  measured: Record<string, Measured>
}

export interface Measured {
  readonly started: string
  readonly versions: Readonly<Record<string, string>>
  readonly text: string
  readonly data: unknown
}

const docs = join(folder, '..', 'docs')
const page = join(docs, 'performance.md')
const charts = join(docs, 'performance')
const file = join(folder, 'published.json')

export function readPublished (): Published {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) as Published : { scenarios: {}, measured: {} }
}

/** Puts one scenario of a run in the place of what is published of it. */
export function publish (results: Results, scenario: string): void {
  const published = readPublished()
  published.scenarios[scenario] = {
    ...results,
    runs: results.runs.filter((run) => run.scenario === scenario),
    exclusions: results.exclusions.filter((exclusion) => exclusion.scenario === scenario)
  }
  write(published)
}

/** The same for figures of another program. */
export function publishMeasured (name: string, measured: Measured): void {
  const published = readPublished()
  published.measured[name] = measured
  write(published)
}

function write (published: Published): void {
  // A run on one line: differences can be read, and it is no longer than it has to be.
  writeFileSync(file, JSON.stringify(published, null, 1).replace(/\n {5,}/g, ' ').replace(/\n {4}(?=[}\]])/g, ' ') + '\n')

  mkdirSync(charts, { recursive: true })
  replaceBetween('scenarios', scenarios.flatMap((scenario) => {
    const results = published.scenarios[scenario.name]
    if (results === undefined) return []

    writeFileSync(join(charts, `${scenario.name}.svg`), svg(chartOf(scenario, results)))
    const { settings, versions, started } = results
    const origin = `${started.slice(0, 10)}, commit ${versions['fastify-sluice commit']}; medians of ${settings.rounds} interleaved rounds of ${settings.seconds} s, (lowest–highest).`
    return [...sectionOf(scenario, results, `![${scenario.name}](performance/${scenario.name}.svg)`), origin]
  }))
  const [last] = Object.values(published.scenarios).toSorted((a, b) => b.started.localeCompare(a.started))
  if (last !== undefined) replaceBetween('versions', [list(`${String(last.machine.cpu)}, ${last.machine.cores} cores, kernel ${last.machine.kernel}; origin ${last.settings.origin}:`, Object.entries(last.versions).map(([name, version]) => `${name} ${version}`))])
  for (const [name, { text, started, versions }] of Object.entries(published.measured)) {
    replaceBetween(name, [text.trim(), `${started.slice(0, 10)}, commit ${versions['fastify-sluice commit']}, Node ${versions.node}.`])
  }
}

/** Latency where the scenario is about that, CPU time everywhere else. */
function chartOf (scenario: Scenario, results: Results): Chart {
  const { summaries } = summarize(scenario, results)
  const base = summaries.find(({ name }) => name === direct)
  const isLatency = scenario.goals.some(({ kind }) => kind === 'added-p50' || kind === 'added-p99')
  if (isLatency && base !== undefined) {
    const quantile = scenario.goals.some(({ kind }) => kind === 'added-p99') ? 'p99' : 'p50'
    const bars = summaries
      .filter(({ name }) => name !== direct)
      .map((summary) => ({ name: summary.name, ...alike((summary[quantile] - base[quantile]) * 1000) }))
    return { title: `${scenario.name}: ${quantile} added to that of the origin`, bars, format: time }
  }
  const bars = summaries
    .filter((summary): summary is Summary & { cpu: number } => summary.cpu !== null)
    .map(({ name, cpu, cpuLeast, cpuMost }) => ({ name, value: cpu, least: cpuLeast, most: cpuMost }))
  return { title: `${scenario.name}: CPU time of the proxy per request`, bars, format: time }
}

function alike (value: number): { value: number, least: number, most: number } {
  return { value, least: value, most: value }
}

/** Nothing else on the page is touched. */
function replaceBetween (name: string, parts: readonly string[]): void {
  const text = readFileSync(page, 'utf8')
  const begin = `<!-- ${name} -->`
  const end = `<!-- /${name} -->`
  const from = text.indexOf(begin)
  const to = text.indexOf(end)
  if (from === -1 || to === -1) throw new Error(`docs/performance.md has no place for '${name}'`)
  writeFileSync(page, `${text.slice(0, from + begin.length)}\n${parts.join('\n\n')}\n${text.slice(to)}`)
}
