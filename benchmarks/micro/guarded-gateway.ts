import process from 'node:process'
import Fastify, { LogController } from 'fastify'
import proxy from '../../lib/index.ts'

/*
 * A gateway of which micro/policies.ts asks how much CPU time it has used: `/plain/*` goes to an upstream without any policy, `/guarded/*` to the same
 * endpoints with all of them. Its endpoints are its arguments.
 */

const origins = process.argv.slice(2)
const app = Fastify({ logger: { file: '/dev/null' }, logController: new LogController({ disableRequestLogging: true }) })
await app.register(proxy, {
  upstreams: {
    plain: { endpoints: origins, breaker: false, outlier: false },
    guarded: {
      // The last one is in reserve, as others are in other regions.
      endpoints: origins.map((origin, index) => ({ origin, weight: index + 1, priority: index === origins.length - 1 ? 1 : 0 })),
      balancer: 'peak-ewma',
      health: { path: '/up', interval: 2000, maxLatency: 1000, waitForHealthy: 5000 },
      outlier: { consecutiveFailures: 5 },
      breaker: { consecutiveFailures: 5 },
      limits: { active: 256, pending: 256, queueTimeout: 1000 },
      // Another pool than the other's.
      pool: { warm: 8, connections: 127 },
      slowStart: 1000
    }
  },
  routes: [
    { url: '/plain/*', upstream: 'plain', retry: false },
    {
      url: '/guarded/*',
      upstream: 'guarded',
      retry: { attempts: 2, on: ['connect', 'stale', 'reset', 'timeout', 502, 503, 504], budget: { share: 0.2 } },
      timeouts: { head: 2000, attempt: 3000, total: 10_000 },
      forwardDeadline: true
    }
  ]
})
process.send!(await app.listen({ port: 0, host: '127.0.0.1' }))

process.on('message', () => {
  const { user, system } = process.cpuUsage()
  process.send!(user + system)
})
process.on('disconnect', () => process.exit())
