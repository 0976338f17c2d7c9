import { ConfigError, ProxyError } from './errors.ts'
import { gatherMetrics } from './observe/metrics/gather.ts'
import { proxy } from './plugin.ts'

/** The plugin function, and on it what is imported by name. */
type Required = typeof proxy & {
  /** As of Fastify's own plugins, for compilers that look for it. */
  readonly default: typeof proxy
  readonly proxy: typeof proxy
  readonly ConfigError: typeof ConfigError
  readonly ProxyError: typeof ProxyError
  readonly gatherMetrics: typeof gatherMetrics
}

const required: Required = Object.assign(proxy, { default: proxy, proxy, ConfigError, ProxyError, gatherMetrics })

export type * from '../types/index.ts'
export { ConfigError, gatherMetrics, ProxyError, proxy, proxy as default }
// Given by `require('fastify-sluice')`: Node's require of ES modules looks for this name.
export { required as 'module.exports' }
