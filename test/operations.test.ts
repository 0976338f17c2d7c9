import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { parser } from '@prometheus-io/lezer-promql'
import { errorNames, proxyError } from '../lib/errors.ts'
import { families } from '../lib/observe/metrics/families.ts'

/*
 * The operations kit against what is counted, without a Prometheus; with one: `npm run test:prometheus`.
 */
const root = fileURLToPath(new URL('../../', import.meta.url))
const rules = readFileSync(join(root, 'ops/prometheus/rules.yml'), 'utf8')
const recorded = Array.from(rules.matchAll(/record: (\S+)/g), ([, name]) => name!)

interface Panel { type: string, title: string, description?: string, fieldConfig?: { defaults: { unit: string } }, targets?: { expr: string, legendFormat: string }[] }
interface Dashboard { uid: string, title: string, panels: Panel[], templating: { list: { name: string, query: string | { query: string } }[] } }

const dashboards = readdirSync(join(root, 'ops/grafana')).map((name) => ({ name, ...JSON.parse(readFileSync(join(root, 'ops/grafana', name), 'utf8')) as Dashboard }))

/** By metric as it is queried: a histogram is three. */
const labels = new Map(families.flatMap(({ definition: { name, labels, type } }): [string, readonly string[]][] => type === 'histogram'
  ? [[`${name}_bucket`, [...labels, 'le']], [`${name}_sum`, labels], [`${name}_count`, labels]]
  : [[name, labels]]))
/** Prometheus' own. */
const given = ['job', 'instance']

function problemsOf (expr: string): string[] {
  const problems: string[] = []
  for (const [, name, matchers = ''] of expr.matchAll(/(?<![\w:])((?:sluice_|\w+:sluice_)\w+(?::\w+)?)(?:\{([^}]*)\})?/g)) {
    if (name!.includes(':')) {
      if (!recorded.includes(name!)) problems.push(`nobody records ${name}`)
      continue
    }
    const known = labels.get(name!)
    if (known === undefined) {
      problems.push(`there is no ${name}`)
      continue
    }
    for (const [, label] of matchers.matchAll(/(\w+)[=!]~?"/g)) {
      if (![...known, ...given].includes(label!)) problems.push(`${name} has no label ${label}`)
    }
  }
  return problems
}

test('the rules ask for nothing that is not there', () => {
  assert.deepEqual(problemsOf(rules.replace(/^ *(record|alert|summary|description): .*$/gm, '')), [])
})

test('what clients do wrong is no error of ours in any rule, and all else is', () => {
  const excluded = new Set(Array.from(rules.matchAll(/error!~"([^"]*)"/g), ([, pattern]) => pattern!))
  assert.equal(excluded.size, 1)
  const pattern = new RegExp(`^(?:${[...excluded][0]!})$`)
  for (const name of errorNames) {
    const { error, side } = proxyError(name, 'select')
    assert.equal(pattern.test(error), side === 'client', error)
  }
})

test('every alert says how bad it is, what is wrong and what it means', () => {
  const alerts = rules.split('- alert: ').slice(1)
  assert.ok(alerts.length >= 15)
  for (const alert of alerts) assert.match(alert, /for: \w+\n +labels:\n +severity: (page|ticket)\n +annotations:\n +summary: '.+'\n +description: '.+'/)
})

for (const topic of ['ErrorBudgetBurn', 'LatencySpike', 'PoolSaturated', 'CanaryRegression', 'EndpointsEjected']) {
  test(`there is an alert for ${topic}, and a test of it`, () => {
    assert.ok(rules.includes(`alert: Sluice${topic}`))
    assert.ok(readFileSync(join(root, 'ops/prometheus/rules.test.yml'), 'utf8').includes(`alertname: Sluice${topic}`))
  })
}

for (const { name, uid, panels, templating } of dashboards) {
  test(`${name} asks for nothing that is not there`, () => {
    const queries = templating.list.map(({ query }) => typeof query === 'string' ? '' : query.query)
    assert.deepEqual([...panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)), ...queries].flatMap(problemsOf), [])
  })

  test(`${name} can be read by somebody who has not made it`, () => {
    assert.match(uid, /^fastify-sluice-/)
    for (const { type, title, description, fieldConfig, targets = [] } of panels) {
      assert.notEqual(title, '')
      if (type === 'row') continue
      assert.ok(description !== undefined && description !== '' && fieldConfig?.defaults.unit !== undefined && targets.length > 0, title)
      assert.ok(targets.every(({ legendFormat }) => legendFormat !== ''), title)
    }
  })

  test(`${name} asks for rates over the interval that fits the screen`, () => {
    for (const { targets = [] } of panels) {
      for (const { expr } of targets) assert.doesNotMatch(expr, /\[(?!\$__rate_interval\])/)
    }
  })
}

test('every metric is on a dashboard, or one of its rules', () => {
  const asked = rules + dashboards.flatMap(({ panels }) => panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))).join('\n')
  assert.deepEqual(families.map(({ definition: { name } }) => name).filter((name) => !asked.includes(name)), ['sluice_config_reloads_total'])
})

test('the dashboards are those that scripts/dashboards.js writes', async () => {
  const { dashboards: written, print } = await import(new URL('../../scripts/dashboards.js', import.meta.url).href) as { dashboards: Record<string, object>, print: (dashboard: object) => string }
  for (const [name, dashboard] of Object.entries(written)) assert.equal(readFileSync(join(root, 'ops/grafana', name), 'utf8'), print(dashboard))
})

const page = readFileSync(join(root, 'docs/operations.md'), 'utf8')
const asked = Array.from(page.matchAll(/```promql\n([^`]+)```/g), ([, query]) => query!)

/** The first place where a query is none. */
function faultOf (query: string): string | null {
  let fault: string | null = null
  parser.parse(query).iterate({ enter: ({ type, from }) => { if (type.isError) fault ??= `at ${from}: ${query}` } })
  return fault
}

/** By what a query groups, wherever it does: labels of something that it asks for. */
function foreignLabels (query: string): string[] {
  const names = [...query.matchAll(/\bsluice_\w+/g)].map(([name]) => name)
  const known = new Set([...names.flatMap((name) => labels.get(name) ?? []), ...given])
  return Array.from(query.matchAll(/\b(?:by|on|without|ignoring) \(([^)]*)\)/g), ([, list]) => list!.split(/, */)).flat().filter((label) => !known.has(label))
}

test('every query of docs/operations.md is one, and asks for what is counted or recorded', () => {
  assert.ok(asked.length >= 20, `${asked.length} queries`)
  assert.deepEqual(asked.map(faultOf).filter((fault) => fault !== null), [])
  assert.deepEqual(asked.flatMap(problemsOf), [])
  assert.deepEqual(asked.filter((query) => foreignLabels(query).length > 0), [])
  // Nor is there a metric in its prose that is not there.
  assert.deepEqual(problemsOf(page.replace(/```[^]*?```/g, '')), [])
})

test('the check of queries finds those that are none', () => {
  assert.notEqual(faultOf('sum by (a (rate(x[5m]))'), null)
  assert.equal(faultOf('sum by (a) (rate(x[5m]))'), null)
  assert.deepEqual(problemsOf('sum(rate(sluice_nothing_total[5m]))'), ['there is no sluice_nothing_total'])
  assert.deepEqual(foreignLabels('sum by (route, nobody) (sluice_requests_total)'), ['nobody'])
})

test('docs/operations.md answers ten questions, each with something to ask, and every alert is in it', () => {
  const questions = page.split(/^## (?=\d)/m).slice(1).map((section) => section.split(/^## /m)[0]!)
  assert.deepEqual(questions.map((question) => Number.parseInt(question)), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  for (const question of questions) assert.match(question, /```(?:promql|sh)\n/, question.split('\n')[0])
  assert.deepEqual(Array.from(rules.matchAll(/alert: (\w+)/g), ([, name]) => name!).filter((name) => !page.includes(`\`${name}\``)), [])
})

test('every link within docs/operations.md leads somewhere', () => {
  const anchors = new Set(Array.from(page.matchAll(/^#+ (.+)$/gm), ([, title]) => `#${title!.toLowerCase().replace(/[^\w -]/g, '').replaceAll(' ', '-')}`))
  assert.deepEqual(Array.from(page.matchAll(/\]\((#[^)]+)\)/g), ([, link]) => link!).filter((link) => !anchors.has(link)), [])
})
