import { proxy } from './plugin.ts'

export type * from '../types/index.ts'
export { gatherMetrics } from './observe/metrics/gather.ts'
export { ConfigError, ProxyError } from './errors.ts'
export { proxy, proxy as default }
// What `require('fastify-sluice')` gives: the plugin function itself (Node's require of ES modules).
export { proxy as 'module.exports' }
