import { createRequire } from 'node:module'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import process from 'node:process'
import Fastify, { LogController, type FastifyBaseLogger } from 'fastify'
import proxy from '../../lib/index.ts'

/*
 * Logs to the file that it is told, by way of pino's own memory, and ends its process in the turn of the first exchange's end.
 */

const require = createRequire(import.meta.url)
const pino = createRequire(require.resolve('fastify'))('pino') as ((stream: object) => FastifyBaseLogger) & { destination (options: object): object }

const upstream = createServer((_request, response) => { response.end('ok') }).listen(0, '127.0.0.1', async () => {
  const loggerInstance = pino(pino.destination({ dest: process.argv[2], sync: false, minLength: 4096 }))
  const app = Fastify({ loggerInstance, logController: new LogController({ disableRequestLogging: true }) })
  // Its access line is made by a listener that was there earlier.
  app.addHook('onResponse', async (_request, reply) => { reply.raw.on('close', () => { process.exit() }) })
  await app.register(proxy, { upstream: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}` })
  const address = await app.listen({ port: 0, host: '127.0.0.1' })
  await fetch(address)
})
