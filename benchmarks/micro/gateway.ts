import process from 'node:process'
import Fastify, { LogController } from 'fastify'
import proxy from '../../lib/index.ts'
import { Recorder } from '../../lib/observe/metrics/recorder.ts'

/*
 * A gateway of which micro/metrics.ts asks how much CPU time it has used, and that counts or does not, as it is told.
 */

const app = Fastify({ logger: { file: '/dev/null' }, logController: new LogController({ disableRequestLogging: true }) })
await app.register(proxy, { upstreams: { a: process.argv[2]! }, routes: [{ url: '/*', upstream: 'a', canary: { upstream: 'a', name: 'next', header: 'x-canary' } }] })
process.send!(await app.listen({ port: 0, host: '127.0.0.1' }))

const upstream = app.proxy.upstream('a')!
const all = upstream.state.observers
const others = all.filter((observer) => !(observer instanceof Recorder))
if (others.length !== all.length - 1) throw new Error('nothing is counted')

process.on('message', (asked: 'on' | 'off' | 'cpu') => {
  if (asked !== 'cpu') Object.assign(upstream, { state: { ...upstream.state, observers: asked === 'on' ? all : others } })
  const { user, system } = process.cpuUsage()
  process.send!(user + system)
})
process.on('disconnect', () => process.exit())
