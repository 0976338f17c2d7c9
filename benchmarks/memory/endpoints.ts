import process from 'node:process'
import Fastify from 'fastify'
import proxy from '../../lib/index.ts'
import { port } from '../contract.ts'

/* An app with as many routes and endpoints as it is told, that nobody asks for anything. */
const { ROUTES: routes = '1', ENDPOINTS: endpoints = '1' } = process.env
const app = Fastify({ logger: { file: '/dev/null' } })

app.register(proxy, {
  upstreams: { a: Array.from({ length: Number(endpoints) }, (_, index) => `http://10.${index >> 16}.${index >> 8 & 255}.${index & 255}`) },
  routes: Array.from({ length: Number(routes) }, (_, index) => ({ url: `/route-${index}/v${index % 3}/things/*`, upstream: 'a' }))
})

await app.listen({ port, host: '127.0.0.1' })
