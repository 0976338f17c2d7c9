import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createSocketServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import Fastify from 'fastify'
import proxy from '../../lib/index.ts'

/*
 * The operations kit against the real Prometheus: `npm run test:prometheus`. Not among the tests, since it needs Debian's `prometheus`, and
 * tests may not be skipped. Everything it starts ends with it.
 */

// From dist/test/prometheus, where this runs.
const root = fileURLToPath(new URL('../../../', import.meta.url))
const kit = join(root, 'ops', 'prometheus')
const folder = mkdtempSync(join(tmpdir(), 'sluice-prometheus-'))
const children: ChildProcess[] = []

function has (program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0
}

function promtool (args: string[], input = ''): void {
  const { status, stdout, stderr } = spawnSync('promtool', args, { input, encoding: 'utf8' })
  // It says what is wrong in either, and `check metrics` exits with 3 for advice.
  assert.equal(status, 0, `promtool ${args.join(' ')}\n${stdout}${stderr}`)
  console.log(`✔ promtool ${args.join(' ').replaceAll(root, '')}`)
}

async function freePort (): Promise<number> {
  const server = createSocketServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

function start (program: string, args: string[], env: NodeJS.ProcessEnv = {}): { output: () => string } {
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  children.push(child)
  let output = ''
  for (const stream of [child.stdout!, child.stderr!]) stream.setEncoding('utf8').on('data', (text: string) => { output = (output + text).slice(-100_000) })
  return { output: () => output }
}

const pause = (milliseconds: number): Promise<void> => new Promise(resolve => setTimeout(resolve, milliseconds))

async function until<T> (what: string, look: () => T | undefined | Promise<T | undefined>, seconds = 180): Promise<T> {
  const deadline = performance.now() + seconds * 1000
  for (;;) {
    const seen = await look()
    if (seen !== undefined) return seen
    if (performance.now() > deadline) throw new Error(`waited ${seconds} s for ${what}`)
    await pause(200)
  }
}

interface Result {
  readonly metric: Record<string, string>
  readonly value: [number, string]
}

async function query (prometheus: string, expr: string): Promise<Result[]> {
  const response = await fetch(`${prometheus}/api/v1/query`, { method: 'POST', body: new URLSearchParams({ query: expr }) })
  const { status, data, error } = await response.json() as { status: string, data: { resultType: string, result: Result[] }, error?: string }
  assert.equal(status, 'success', `${expr}\n${error}`)
  return data.resultType === 'scalar' ? [{ metric: {}, value: data.result as unknown as [number, string] }] : data.result
}

/** As a dashboard does before it asks. */
function filledIn (expr: string): string {
  return expr.replaceAll('$__rate_interval', '1m').replace(/\$(job|instance|route|upstream)\b/g, '.+')
}

function dashboardExpressions (): { where: string, expr: string }[] {
  const folder = join(root, 'ops', 'grafana')
  return readdirSync(folder).flatMap((name) => {
    const { panels } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as { panels: { title: string, targets?: { expr: string }[] }[] }
    return panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ where: `${name}: ${title}`, expr: filledIn(expr) })))
  })
}

interface Rule {
  readonly type: 'alerting' | 'recording'
  readonly name: string
  readonly query: string
  readonly health: string
  readonly lastError?: string
}

async function rulesOf (prometheus: string): Promise<Rule[]> {
  const { data } = await (await fetch(`${prometheus}/api/v1/rules`)).json() as { data: { groups: { rules: Rule[] }[] } }
  return data.groups.flatMap(({ rules }) => rules)
}

/** What an alert compares with a threshold, by itself: an alert that does not fire gives nothing, but what it looks at must be there. */
function selectorsOf (expr: string): string[] {
  return Array.from(expr.matchAll(/(?<![\w:])((?:sluice_|route:|variant:|upstream:)[\w:]+(?:\{[^}]*\})?(?:\[\w+\])?)/g), ([selector]) => selector.replace(/\[\w+\]$/, ''))
}

async function checkScrapes (): Promise<void> {
  const demonstration = start(process.execPath, [join(root, 'dist', 'examples', 'demonstration.js')], { PORT: '0' })
  const url = await until('the demonstration', () => /listening on (http:\S+),/.exec(demonstration.output())?.[1])
  const token = await until('its token', () => /Bearer (\S+)'/.exec(demonstration.output())?.[1])
  const traffic = [
    ['/', {}], ['/orders/7', { 'x-canary': 'true' }], ['/orders/8', {}], ['/private/', {}], ['/private/', { authorization: `Bearer ${token}` }], ['/down/', {}], ['/a/%2e%2e', {}]
  ] as const
  let isOver = false
  const clients = (async () => {
    while (!isOver) {
      for (const [path, headers] of traffic) await (await fetch(url + path, { headers })).arrayBuffer()
      await pause(50)
    }
  })()

  try {
    await pause(500)
    promtool(['check', 'metrics'], await (await fetch(`${url}/metrics`)).text())

    // The configuration that is shipped, but for port and pace.
    cpSync(join(kit, 'rules.yml'), join(folder, 'rules.yml'))
    const config = readFileSync(join(kit, 'prometheus.yml'), 'utf8').replace('127.0.0.1:3000', new URL(url).host).replace(/(_interval): 5s/g, '$1: 1s')
    writeFileSync(join(folder, 'prometheus.yml'), config)
    const port = await freePort()
    const prometheus = `http://127.0.0.1:${port}`
    const program = start('prometheus', [`--config.file=${join(folder, 'prometheus.yml')}`, `--storage.tsdb.path=${join(folder, 'data')}`, `--web.listen-address=127.0.0.1:${port}`])
    await until(`a scrape, by\n${program.output()}`, async () => {
      const up = await query(prometheus, 'up{job="sluice"} == 1').catch(() => [])
      return up.length > 0 || undefined
    })
    console.log('✔ Prometheus scrapes the demonstration')

    const missing = new Set<string>()
    const asked = [
      ...dashboardExpressions(),
      ...(await rulesOf(prometheus)).flatMap(({ type, name, query }) => type === 'recording' ? [{ where: name, expr: query }, { where: name, expr: name }] : selectorsOf(query).map((expr) => ({ where: name, expr })))
    ]
    await until('data for every expression', async () => {
      missing.clear()
      for (const { where, expr } of asked) {
        if ((await query(prometheus, expr)).length === 0) missing.add(`${where}\n    ${expr}`)
      }
      return missing.size === 0 || undefined
    }).catch((error: Error) => { throw new Error(`${error.message}; none for\n${[...missing].join('\n')}`) })
    console.log(`✔ ${asked.length} expressions of dashboards, recording and alert rules return data`)

    const page = readFileSync(join(root, 'docs', 'operations.md'), 'utf8')
    const questions = Array.from(page.matchAll(/```promql\n([^`]+)```/g), ([, expr]) => expr!)
    for (const expr of questions) await query(prometheus, expr)
    console.log(`✔ ${questions.length} queries of docs/operations.md are answered without an error`)

    const rules = await rulesOf(prometheus)
    for (const { query: expr } of rules) await query(prometheus, expr)
    assert.deepEqual(rules.filter(({ health }) => health !== 'ok').map(({ name, lastError }) => `${name}: ${lastError}`), [])
    console.log(`✔ ${rules.length} rules are evaluated without an error`)
  } finally {
    isOver = true
    await clients.catch(() => {})
  }
}

/** Answers within a millisecond, but stands still for 20 ms once a second. */
async function measureSpikes (): Promise<Map<string, number[]>> {
  let heldUntil = 0
  const upstream = createServer((request, response) => {
    request.resume()
    const held = heldUntil - performance.now()
    if (held > 0) setTimeout(() => response.end('ok'), held)
    else response.end('ok')
  }).listen(0, '127.0.0.1')
  await new Promise(resolve => upstream.once('listening', resolve))
  const timer = setInterval(() => { heldUntil = performance.now() + 20 }, 1000)
  const app = Fastify()
  await app.register(proxy, { upstreams: { seeded: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}` }, routes: [{ url: '/*', upstream: 'seeded' }] })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })

  const recorded = new Map<string, number[]>()
  let isOver = false
  const clients = Array.from({ length: 4 }, async () => {
    while (!isOver) {
      await (await fetch(url)).arrayBuffer()
      await pause(5)
    }
  })
  const samples = 12
  for (let sample = 0; sample < samples; sample++) {
    await pause(1000)
    for (const line of (await app.proxy.metrics.prometheus()).split('\n')) {
      const match = /^(sluice_upstream_header_duration_seconds_\w+)\{(.+)\} (\S+)$/.exec(line)
      if (match === null) continue
      const series = `${match[1]}{job="sluice",${match[2]}}`
      recorded.set(series, [...recorded.get(series) ?? [], Number(match[3])])
    }
  }
  isOver = true
  clearInterval(timer)
  await Promise.all(clients)
  await app.close()
  upstream.close()
  return recorded
}

/** The machine itself made every answer late: there was no spike to tell from the rest. */
class Uneven extends Error {}

/** Seconds that an answer of the seeded upstream takes on average: its spikes by themselves are good for one millisecond at most. */
const EVEN = 0.004

function assertEven (recorded: ReadonlyMap<string, readonly number[]>): void {
  const last = (end: string): number => Array.from(recorded).filter(([name]) => name.includes(`${end}{`)).reduce((sum, [, values]) => sum + values.at(-1)!, 0)
  const mean = last('_sum') / last('_count')
  if (mean > EVEN) throw new Uneven(`on this machine the average answer took ${(mean * 1000).toFixed(1)} ms`)
}

/** The shipped rule fires on what a real run has recorded; a rule with the same threshold on the average does not. */
async function checkSpikes (): Promise<void> {
  // One sample a second in the run; the rule's clock is its own.
  const recorded = await measureSpikes()
  assertEven(recorded)
  const series = Array.from(recorded, ([name, values]) => `      - series: '${name}'\n        values: '${values.slice(1).join(' ')}'`).join('\n')
  const file = join(folder, 'spike.test.yml')
  const rules = join(folder, 'average.yml')
  writeFileSync(rules, `groups:
  - name: average
    rules:
      - alert: Average
        expr: upstream:sluice_header_duration_seconds:mean_rate5m > 0.01
`)
  const { summary, description } = annotationsOf('SluiceLatencySpike')
  const test = (found: string): string => `rule_files:
  - ${join(kit, 'rules.yml')}
  - ${rules}
evaluation_interval: 5s
tests:
  - interval: 5s
    input_series:
${series}
    alert_rule_test:
      - alertname: Average
        eval_time: 55s
        exp_alerts: []
      - alertname: SluiceLatencySpike
        eval_time: 55s
        exp_alerts:
          - exp_labels: { severity: ticket, job: sluice, upstream: seeded }
            exp_annotations:
              summary: ${JSON.stringify(summary.replaceAll('{{ $labels.upstream }}', 'seeded').replace(/\{\{ \$value [^}]+\}\}/, found))}
              description: ${JSON.stringify(description)}
`
  // How long the slowest took is the run's to say: asked once to learn it, and once for the whole.
  writeFileSync(file, test('?'))
  const { stdout, stderr } = spawnSync('promtool', ['test', 'rules', file], { encoding: 'utf8' })
  const found = /slowest answers take ([^,]+), most/.exec((stdout + stderr).split('got:')[1] ?? '')?.[1]
  assert.ok(found !== undefined, `SluiceLatencySpike does not fire:\n${stdout}${stderr}`)
  writeFileSync(file, test(found))
  // promtool evaluates groups in any order, so the alert sees what was recorded now or a step ago: the figure is one of two where the machine
  // was not even. Whether the one alert fires and the other does not is the same each time.
  const isTold = Array.from({ length: 20 }).some(() => spawnSync('promtool', ['test', 'rules', file]).status === 0)
  if (!isTold) promtool(['test', 'rules', file])
  console.log(`✔ an upstream that pauses for 20 ms once a second is told by SluiceLatencySpike (${found}), and not by an average`)
}

function annotationsOf (alert: string): { summary: string, description: string } {
  const text = readFileSync(join(kit, 'rules.yml'), 'utf8').split(`alert: ${alert}\n`)[1]!
  const read = (name: string): string => new RegExp(`${name}: '((?:[^']|'')*)'`).exec(text)![1]!.replaceAll("''", "'")
  return { summary: read('summary'), description: read('description') }
}

if (!has('promtool') || !has('prometheus')) {
  console.error('\n!!!!! prometheus and promtool were not found (apt-get install prometheus): dashboards and rules are NOT tested !!!!!\n')
} else {
  console.log(execFileSync('prometheus', ['--version'], { encoding: 'utf8' }).split('\n')[0])
  try {
    promtool(['check', 'rules', '--lint=all', '--lint-fatal', join(kit, 'rules.yml')])
    promtool(['check', 'config', '--lint=all', '--lint-fatal', join(kit, 'prometheus.yml')])
    promtool(['test', 'rules', join(kit, 'rules.test.yml')])
    // On a machine that is busy with something else, nothing is even: another run, then.
    await checkSpikes().catch(() => checkSpikes()).catch(() => checkSpikes()).catch((error: unknown) => {
      if (!(error instanceof Uneven)) throw error
      console.error(`\n!!!!! ${error.message}: that SluiceLatencySpike tells spikes from an average is NOT tested !!!!!\n`)
    })
    await checkScrapes()
  } finally {
    const ended = children.map((child) => child.exitCode !== null ? undefined : new Promise(resolve => child.once('exit', resolve)))
    for (const child of children) child.kill('SIGTERM')
    await Promise.all(ended)
    rmSync(folder, { recursive: true, force: true })
  }
}
