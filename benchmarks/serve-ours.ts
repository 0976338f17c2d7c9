import Fastify from 'fastify'
import type proxyPlugin from '../lib/index.ts'
import { library, port, tls, type feature } from './contract.ts'
import { oursOptions } from './ours-options.ts'

/*
 * Everything a user would have on is on: a canary rule looked at by every request, trace context, X-Forwarded-*, Via, one access log line per exchange,
 * written as it would be to a stdout that leads nowhere, and what is on by default: metrics, ejection of endpoints, the circuit breaker, limits, retries
 * with their budget, all timeouts.
 */
export async function serveOurs (asked: typeof feature): Promise<void> {
  const { default: proxy } = await import(library) as { default: typeof proxyPlugin }
  const app = Fastify({ logger: { file: '/dev/null' }, disableRequestLogging: true, https: asked === 'tls' ? tls() : null })

  app.register(proxy, oursOptions(asked))

  await app.listen({ port, host: '127.0.0.1', backlog: 4096 })
}
