import type { Problem } from '../../types/control.ts'
import { balancers, isBalancer } from '../data-plane/balancer/index.ts'
import type { HealthConfig } from '../control-plane/health/index.ts'
import { findPoolFaults } from '../data-plane/pool/index.ts'
import type { UpstreamConfig } from './normalize.ts'
import { suggest } from './suggest.ts'
import { join, validate } from './validate.ts'

/** What no schema can say of an upstream: policies by name, and options that cannot all be meant. */
export function checkUpstream (config: UpstreamConfig, where: string, problems: Problem[]): boolean {
  const before = problems.length
  checkBalancer(config.balancer, join(where, 'balancer'), problems)
  const { health, outlier, pool, endpoints } = config
  for (const { path, message } of findPoolFaults(pool, endpoints.map(({ origin }) => origin))) {
    problems.push({ path: ['pool', ...path].reduce(join, where), message })
  }
  if (outlier !== false && outlier.maxEjection < outlier.baseEjection) {
    problems.push({ path: join(join(where, 'outlier'), 'maxEjection'), message: `is ${outlier.maxEjection} ms, less than the ${outlier.baseEjection} ms of outlier.baseEjection` })
  }
  if (health !== false) checkHealth(health, join(where, 'health'), problems)
  return problems.length === before
}

/** undici refuses to send these, so no check would ever pass. */
const notOurs: ReadonlySet<string> = new Set(['connection', 'content-length', 'expect', 'keep-alive', 'transfer-encoding', 'upgrade'])

function checkHealth ({ headers, maxLatency, timeout, status }: HealthConfig, where: string, problems: Problem[]): void {
  for (const name of Object.keys(headers)) {
    if (notOurs.has(name)) problems.push({ path: join(join(where, 'headers'), name), message: 'is not for a health check to set' })
  }
  if (maxLatency !== undefined && maxLatency > timeout) problems.push({ path: join(where, 'maxLatency'), message: `is ${maxLatency} ms, more than the ${timeout} ms of health.timeout` })
  if (Array.isArray(status)) {
    for (const code of status) {
      if (code < 200 || code > 599) problems.push({ path: join(where, 'status'), message: `has ${code}, which is no status of an answer` })
    }
  }
}

function checkBalancer (balancer: UpstreamConfig['balancer'], where: string, problems: Problem[]): void {
  if (isBalancer(balancer)) return
  const { name, ...options } = typeof balancer === 'string' ? { name: balancer } : balancer
  const definition = balancers.get(name)
  if (definition === undefined) {
    const guess = suggest(String(name), balancers.keys())
    const known = [...balancers.keys()].map((known) => `'${known}'`).join(', ')
    problems.push({ path: where, message: `must be a balancer with a \`pick\`, or have a \`name\` of ${known}${guess === null ? '' : `; did you mean '${guess}'?`}` })
    return
  }
  validate(definition.schema, options, where, problems)
}
