import type { fastify, FastifyPluginCallback } from 'fastify'
import { port, upstream } from '../contract.ts'
import { load } from '../modules.ts'

const Fastify = load('fastify') as typeof fastify
const httpProxy = load('@fastify/http-proxy') as FastifyPluginCallback<{ upstream: string, websocket: boolean }>

const app = Fastify({ logger: false })

app.register(httpProxy, { upstream, websocket: true })

await app.listen({ port, host: '127.0.0.1', backlog: 4096 })
