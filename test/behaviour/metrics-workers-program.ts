import cluster from 'node:cluster'
import process from 'node:process'
import Fastify from 'fastify'
import proxy, { gatherMetrics } from '../../lib/index.ts'

/*
 * Two workers in front of an upstream; what they print tells where they are. With "lonely", the primary gathers nothing; with "late", only
 * when it is sent SIGUSR2.
 */

const [upstream, mode] = process.argv.slice(2)

if (cluster.isPrimary) {
  const gathered = mode === 'early' || mode === 'several' ? gatherMetrics() : null
  cluster.fork()
  cluster.fork()
  process.on('SIGTERM', () => process.exit())
  process.on('SIGUSR2', async () => {
    if (gathered === null) {
      gatherMetrics()
      console.log('gathering')
      return
    }
    console.log(`gathered ${JSON.stringify(await gathered.prometheus())}`)
    gathered.close()
  })
} else {
  if (mode === 'several') {
    // Two apps in each process: /close ends the second, /closeall both.
    const apps = await Promise.all(['/one', '/two'].map(async (url) => {
      const app = Fastify()
      await app.register(proxy, { upstreams: { a: upstream! }, routes: [{ url, upstream: 'a' }] })
      return app
    }))
    const front = Fastify()
    front.get('/metrics', apps[0]!.proxy.metrics.handler)
    for (const [index, url] of ['/one', '/two'].entries()) front.get(url, async () => (await apps[index]!.inject(url)).body)
    front.get('/close', async () => { await apps[1]!.close(); return 'closed' })
    front.get('/closeall', async () => { await Promise.all(apps.map((app) => app.close())); return 'closed' })
    process.on('SIGTERM', () => process.exit())
    process.on('disconnect', () => process.exit())
    const url = await front.listen({ port: 0, host: '127.0.0.1', exclusive: true })
    console.log(`listening ${url}`)
    await new Promise(() => {})
  }
  const app = Fastify()
  await app.register(proxy, { upstreams: { a: upstream! }, routes: [{ url: '/', upstream: 'a' }] })
  app.get('/metrics', app.proxy.metrics.handler)
  app.get('/exit', () => process.exit())
  process.on('SIGTERM', () => process.exit())
  process.on('disconnect', () => process.exit())
  // A port of its own for each, so that a test can choose one.
  const url = await app.listen({ port: 0, host: '127.0.0.1', exclusive: true })
  console.log(`listening ${url}`)
}
