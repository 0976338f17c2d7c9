/*
 * The proxy that is fuzzed, in a process of its own: `fork`ed with the URL of its upstream. Numbers every request that Fastify sees, and
 * tells the number upstream and back, so that each side can say which request a message belongs to. Whatever is thrown ends it.
 */
import type { AddressInfo } from 'node:net'
import process from 'node:process'
import { PassThrough } from 'node:stream'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import Fastify, { type FastifyRequest } from 'fastify'
import proxy from '../../lib/index.ts'
import type { ProxyOptions, RouteBehaviour } from '../../types/index.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const upstream = process.argv[2]!
const app = Fastify({ requestTimeout: 1500, keepAliveTimeout: 1000, http: { headersTimeout: 1000, connectionsCheckingInterval: 300, joinDuplicateHeaders: false } })

let seen = 0
const numbers = new WeakMap<object, number>()
const numberOf = (request: FastifyRequest): string => String(numbers.get(request.raw))

app.addHook('onRequest', async (request) => { numbers.set(request.raw, ++seen) })
app.addHook('onSend', async (request, reply) => {
  if (!numbers.has(request.raw)) return
  reply.header('x-seen', numberOf(request)).header('x-method', request.method)
})

const timeouts = { head: 250, idle: 250, write: 500, total: 0 }
const own: Record<string, RouteBehaviour> = {
  plain: {},
  text: { body: { rewrite: [['internal.example', 'shop.example'], ['internal', 'outer']] } },
  json: { body: { rewriteJson: (value) => ({ value }) } },
  whole: { body: { rewrite: { whole: async (body) => body, stream: () => new PassThrough() }, rewriteLimit: 50_000 } },
  limit: { body: { requestLimit: 10, responseLimit: 20 } },
  edits: { cookies: { domain: false, path: { '/': '/edits/' }, secure: true, sameSite: 'lax' }, expose: true, headers: { response: { set: { 'x-own': 'own' }, when: 'always' } } }
}

const behaviour: RouteBehaviour = {
  timeouts,
  onProxyRequest: (head, { request }) => { head.headers['x-seen'] = numberOf(request) }
}
const routes = Object.entries(own).map(([name, more]) => ({ url: `/${name}/*`, upstream: 'origin', ...behaviour, ...more }))
await app.register(proxy, {
  upstreams: { origin: { endpoints: [upstream], pool: { connections: 512 } } },
  routes: [...routes, { url: '/ws/*', upstream: 'origin', ...behaviour, websocket: true }, { url: '/*', upstream: 'origin', ...behaviour }]
} as ProxyOptions)
await app.listen({ port: 0, host: '127.0.0.1' })

const warnings: string[] = []
process.on('warning', (warning) => { warnings.push(String(warning)) })

async function left (): Promise<object> {
  for (let n = 0; n < 4; n++) {
    collectGarbage()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const connections = await new Promise<number>((resolve) => { app.server.getConnections((_error, count) => { resolve(count) }) })
  const active = [...app.proxy.snapshot!.upstreams.values()].flatMap(({ state }) => state.endpoints).reduce((sum, endpoint) => sum + endpoint.active, 0)
  const { heapUsed, external } = process.memoryUsage()
  return { seen, connections, active, held: heapUsed + external, warnings }
}

process.on('message', async () => { process.send!(await left()) })
// By these the other side tells time: on a machine that is busy with other things, its own clock would run on while nothing moves here.
setInterval(() => { process.send!('tick') }, 100)
process.once('disconnect', () => process.exit())
process.send!((app.server.address() as AddressInfo).port)
