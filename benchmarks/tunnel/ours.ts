import Fastify from 'fastify'
import proxy from '../../lib/index.ts'
import { port, upstream } from '../contract.ts'

// As in contenders/ours.ts: everything that is on by default, and the access log.
const app = Fastify({ logger: { file: '/dev/null' }, disableRequestLogging: true })

app.register(proxy, { upstream, websocket: true })

await app.listen({ port, host: '127.0.0.1', backlog: 4096 })
