import cluster, { type Worker } from 'node:cluster'
import { availableParallelism } from 'node:os'
import process from 'node:process'
import Fastify from 'fastify'
import proxy, { gatherMetrics } from '../lib/index.ts'

/*
 * A gateway on several cores: one process for each, one port for all, metrics of all in one place, nobody cut off when it stops, and a process that ends
 * replaced by another. docs/several-cores.md says what of a gateway is each process's own.
 *
 *   UPSTREAM=http://10.0.0.1:8080 PORT=3000 METRICS_PORT=9100 node cluster.js
 */

const {
  UPSTREAM: upstream = 'http://127.0.0.1:8080',
  HOST: host = '127.0.0.1',
  PORT: port = '3000',
  METRICS_PORT: metricsPort = '9100',
  WORKERS: workers = String(availableParallelism()),
  // The kernel spreads connections (Linux, Node 23.1 or later), in place of the primary. Every process then has a socket of its own, so the port cannot be 0.
  REUSE_PORT: reusePort = ''
} = process.env

if (cluster.isPrimary) await lead()
else await serve()

async function lead (): Promise<void> {
  // Before the first fork, so that it hears of all.
  const gathered = gatherMetrics()
  let isClosing = false

  function fork (): void {
    const worker = cluster.fork()
    const startedAt = Date.now()
    worker.once('exit', () => {
      if (isClosing) return
      // What ends as soon as it starts would take all the time there is.
      setTimeout(() => { if (!isClosing) fork() }, Date.now() - startedAt < 1000 ? 1000 : 0)
    })
  }
  for (let count = 0; count < Number(workers); count++) fork()

  const app = Fastify()
  app.get('/metrics', async (_request, reply) => reply.type(gathered.contentType).send(await gathered.prometheus()))
  console.log(`metrics ${await app.listen({ port: Number(metricsPort), host })}/metrics`)

  async function close (): Promise<void> {
    if (isClosing) return
    isClosing = true
    const all = Object.values(cluster.workers ?? {}).filter((worker): worker is Worker => worker !== undefined)
    // Longer than the longest request may take; then those that hang are given up.
    const patience = setTimeout(() => { for (const worker of all) worker.process.kill('SIGKILL') }, 30_000)
    await Promise.all(all.map((worker) => new Promise<void>((resolve) => {
      if (worker.isDead()) return resolve()
      worker.once('exit', () => { resolve() })
      worker.process.kill('SIGTERM')
    })))
    clearTimeout(patience)
    await app.close()
    process.exit()
  }
  process.on('SIGTERM', close)
  process.on('SIGINT', close)
}

async function serve (): Promise<void> {
  const app = Fastify()

  // Limits and connections are each process's own: with four of them, a quarter of what the upstream is to get.
  await app.register(proxy, { upstreams: { all: upstream }, routes: [{ url: '/*', upstream: 'all' }] })

  let isClosing = false
  async function close (): Promise<void> {
    if (isClosing) return
    isClosing = true
    // Requests under way are finished; new ones go to the others.
    await app.close()
    process.exit()
  }
  // Before it listens, since a signal may come at any time. A terminal sends its Ctrl-C to everybody; the primary passes its own on.
  process.on('SIGTERM', close)
  process.on('SIGINT', () => {})
  // Without a primary nobody would ever tell it to stop.
  process.on('disconnect', close)

  const url = await app.listen({ port: Number(port), host, ...(reusePort === '' ? {} : { reusePort: true }) })
  console.log(`worker ${process.pid} ${url}`)
}
