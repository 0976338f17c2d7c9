import type { Transform } from 'node:stream'
import type { fastify, FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify'
import { replacement } from '../replacement.ts'
import { canaryUpstream, eight, feature, port, secureName, secureUpstream, tls, upstream } from '../contract.ts'
import { load } from '../modules.ts'

interface Options {
  upstream: string
  undici?: object
  replyOptions?: {
    getUpstream?: (request: FastifyRequest) => string
    onResponse?: (request: FastifyRequest, reply: FastifyReply, response: { stream: Transform }) => void
  }
}

const Fastify = load('fastify') as typeof fastify
const httpProxy = load('@fastify/http-proxy') as FastifyPluginCallback<Options>

const app = Fastify({ logger: false, https: feature === 'tls' ? tls() : null })

app.register(httpProxy, options())

await app.listen({ port, host: '127.0.0.1', backlog: 4096 })

/** What it does not have is written as its users would. */
function options (): Options {
  let turn = 0
  switch (feature) {
    case 'tls': return { upstream: secureUpstream, undici: { connect: { ca: tls().ca, servername: secureName } } }
    case 'canary': return { upstream: '', replyOptions: { getUpstream: ({ headers }) => headers['x-canary'] === 'true' ? canaryUpstream : upstream } }
    case 'endpoints': return { upstream: '', replyOptions: { getUpstream: () => eight[turn++ % eight.length]! } }
    case 'rewrite': return { upstream, replyOptions: { onResponse: rewrite } }
    default: return { upstream }
  }
}

function rewrite (_request: FastifyRequest, reply: FastifyReply, { stream }: { stream: Transform }): void {
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  stream.on('end', () => {
    const text = Buffer.concat(chunks).toString().replaceAll(...replacement)
    reply.header('content-length', Buffer.byteLength(text))
    reply.send(text)
  })
}
