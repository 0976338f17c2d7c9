import Fastify from 'fastify'
import proxy from '../../lib/index.ts'
import { port, upstream } from '../contract.ts'

// Everything a user would have on is on: a canary rule looked at by every request, trace context, X-Forwarded-*, Via and
// one access log line per exchange, written as it would be to a stdout that leads nowhere.
const app = Fastify({ logger: { file: '/dev/null' }, disableRequestLogging: true })

app.register(proxy, {
  upstreams: { stable: upstream, next: upstream },
  routes: [{
    url: '/*',
    upstream: 'stable',
    trace: 'participate',
    canary: { upstream: 'next', header: 'x-canary', weight: 0 }
  }]
})

await app.listen({ port, host: '127.0.0.1' })
