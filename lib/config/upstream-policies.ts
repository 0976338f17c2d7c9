import type { Problem } from '../../types/control.ts'
import { balancers, isBalancer } from '../data-plane/balancer/index.ts'
import type { UpstreamConfig } from './normalize.ts'
import { suggest } from './suggest.ts'
import { join, validate } from './validate.ts'

/** What no schema can say of an upstream: policies by name, and options that cannot all be meant. */
export function checkUpstream (config: UpstreamConfig, where: string, problems: Problem[]): boolean {
  const before = problems.length
  checkBalancer(config.balancer, join(where, 'balancer'), problems)
  return problems.length === before
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
