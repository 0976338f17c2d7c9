/*
 * The proxy in a process of its own: `proxy.js PORT OPTIONS`, with the options as JSON. GET /usage tells what it has used; with `?tidy` after it has
 * collected its garbage.
 */
import type { AddressInfo } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import Fastify from 'fastify'
import proxy from '../../lib/index.ts'

/** Bytes, and CPU time in microseconds. */
export interface Usage {
  readonly resident: number
  readonly held: number
  readonly cpu: number
}

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const [port = '0', options = '{}'] = process.argv.slice(2)
const app = Fastify()
await app.register(proxy, JSON.parse(options))
app.get('/usage', async ({ query }): Promise<Usage> => {
  if ('tidy' in (query as object)) {
    for (let round = 0; round < 3; round++) {
      collectGarbage()
      await new Promise(setImmediate)
    }
  }
  const { rss, heapUsed, external } = process.memoryUsage()
  const { user, system } = process.cpuUsage()
  return { resident: rss, held: heapUsed + external, cpu: user + system }
})
await app.listen({ port: Number(port), host: '127.0.0.1' })
console.log(`pid ${process.pid} port ${(app.server.address() as AddressInfo).port}`)
