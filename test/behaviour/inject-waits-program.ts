import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import proxy from '../../lib/index.ts'
import type { RouteBehaviour } from '../../types/index.ts'

/*
 * A script that injects one request and ends by itself: nothing but the request keeps it. Arguments: status, Retry-After, the route's
 * behaviour as JSON, and whether the app waits for a health check that never passes, without a `pluginTimeout`.
 */

const [status = '0', retryAfter = '', behaviour = '{}', isAwaited] = process.argv.slice(2)

const upstream = createServer((_request, response) => {
  response.writeHead(Number(status), { connection: 'close', ...retryAfter !== '' && { 'retry-after': retryAfter } }).end()
})
upstream.unref()
const { port } = await new Promise<AddressInfo>((resolve) => {
  upstream.listen(0, '127.0.0.1', () => { resolve(upstream.address() as AddressInfo) })
})

const app = Fastify(isAwaited === undefined ? {} : { pluginTimeout: 0 })
// Without a status nobody listens.
const endpoints = [`http://127.0.0.1:${status === '0' ? 9 : port}`]
await app.register(proxy, {
  upstream: isAwaited === undefined ? endpoints[0]! : { endpoints, health: { interval: 600, waitForHealthy: 900 } },
  ...JSON.parse(behaviour) as RouteBehaviour
})
const { statusCode } = await app.inject('/x')
console.log(`answered ${statusCode}`)
