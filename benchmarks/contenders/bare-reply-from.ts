import type { fastifyReplyFrom } from '@fastify/reply-from'
import type { fastify } from 'fastify'
import { port, upstream } from '../contract.ts'
import { load } from '../modules.ts'

const Fastify = load('fastify') as typeof fastify
const replyFrom = load('@fastify/reply-from') as typeof fastifyReplyFrom

const app = Fastify({ logger: false })

app.register(replyFrom, { base: upstream })

// The body is the raw stream, as in @fastify/http-proxy; Fastify would read JSON and text itself.
app.removeAllContentTypeParsers()
app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))

app.all('/*', (request, reply) => reply.from(request.url))

await app.listen({ port, host: '127.0.0.1', backlog: 4096 })
