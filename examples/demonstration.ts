import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { constants } from 'node:os'
import { extname } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import jwt from '@fastify/jwt'
import Fastify, { type FastifyRequest, LogController } from 'fastify'
import proxy, { type ImaginedRequest, type SlowQuery } from '../lib/index.ts'

/*
 * A gateway in front of two versions of a service: a canary, a trace that goes on, a route behind JWT auth, and an upstream that is
 * down. `npm start` runs it.
 */

const upstreams: ChildProcess[] = []

async function startUpstream (version: string): Promise<string> {
  const program = fileURLToPath(new URL(`./upstream${extname(import.meta.url)}`, import.meta.url))
  const upstream = fork(program, [version])
  upstreams.push(upstream)
  const [port] = await once(upstream, 'message')
  return `http://127.0.0.1:${port}`
}

const stable = await startUpstream('stable')
const canary = await startUpstream('canary')

// Quiet until the lines to try are printed; then the gateway's line per request.
const app = Fastify({ logger: { level: 'warn' }, logController: new LogController({ disableRequestLogging: true }) })

await app.register(jwt, { secret: randomBytes(32).toString('hex') })

await app.register(proxy, {
  upstreams: { stable, canary, down: 'http://127.0.0.1:1' },
  routes: [
    {
      url: '/*',
      upstream: 'stable',
      canary: { upstream: 'canary', header: 'x-canary', weight: 0 }
    },
    {
      url: '/private/*',
      upstream: 'stable',
      onRequest: async (request: FastifyRequest) => { await request.jwtVerify() },
      // The upstream learns who it is, not how they proved it; what a client writes into x-user-id never gets there.
      credentials: (request) => ({ 'x-user-id': (request.user as { sub: string }).sub }),
      headers: { request: { remove: ['authorization'] } }
    },
    { url: '/down/*', upstream: 'down' }
  ]
})

// What Prometheus scrapes (ops/prometheus/prometheus.yml). In an app of yours it stands behind auth.
app.get('/metrics', app.proxy.metrics.handler)
// What docs/operations.md asks; these too.
app.get('/slowest', async (request) => app.proxy.slowest(request.query as SlowQuery))
app.get('/explain', async ({ query }) => {
  const { url, method } = query as ImaginedRequest
  return app.proxy.explain({ url, ...(method !== undefined && { method }) })
})

endOnSignal()

try {
  const url = await app.listen({ port: Number(process.env['PORT'] ?? 3000), host: '127.0.0.1' })
  print(url, app.jwt.sign({ sub: 'ada' }))
  app.log.level = 'info'
} catch (error) {
  console.error(`${(error as Error).message}; PORT=3001 npm start takes another port`)
  process.exit(1)
}

function print (url: string, token: string): void {
  console.log(`
A gateway is listening on ${url}, in front of two versions of a service that answers with what it received. Try:

# the stable version answers
curl ${url}/

# the canary answers
curl -H 'x-canary: true' ${url}/orders/7

# the upstream sees this trace id, and a parent id of the gateway's
curl -H 'traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' ${url}/

# 401: no token, and no upstream hears of it
curl -i ${url}/private/

# 200: x-user-id comes from the token, whatever the client writes
curl -H 'x-user-id: mallory' -H 'authorization: Bearer ${token}' ${url}/private/

# 502: nobody listens behind this route
curl -i ${url}/down/

# what has been counted, as Prometheus scrapes it
curl ${url}/metrics

Ctrl-C ends it. Below, one line for each request:
`)
}

function endOnSignal (): void {
  let isEnding = false
  async function end (signal: NodeJS.Signals): Promise<void> {
    if (isEnding) process.exit(128 + constants.signals[signal])
    isEnding = true
    await app.close()
    for (const upstream of upstreams) upstream.disconnect()
  }
  process.on('SIGINT', end)
  process.on('SIGTERM', end)
}
