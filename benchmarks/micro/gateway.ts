import process from 'node:process'
import Fastify from 'fastify'
import proxy from '../../lib/index.ts'

/* A gateway of which micro/metrics.ts asks how much CPU time it has used. */

const [upstream, metrics] = process.argv.slice(2)
const app = Fastify({ logger: { file: '/dev/null' }, disableRequestLogging: true })
await app.register(proxy, { metrics: metrics === 'true', upstreams: { a: upstream! }, routes: [{ url: '/*', upstream: 'a', canary: { upstream: 'a', name: 'next', header: 'x-canary' } }] })
process.send!(await app.listen({ port: 0, host: '127.0.0.1' }))
process.on('message', () => {
  const { user, system } = process.cpuUsage()
  process.send!(user + system)
})
process.on('disconnect', () => process.exit())
