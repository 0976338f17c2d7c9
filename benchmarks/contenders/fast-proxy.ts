import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { port, upstream } from '../contract.ts'
import { load } from '../modules.ts'

type FastProxy = (options: { base: string }) => {
  proxy (request: IncomingMessage, response: ServerResponse, source: string | undefined, options: object): void
}

const fastProxy = load('fast-proxy') as FastProxy

// On its default transport, node:http with keep-alive: with `undici: true` it answers every chunked upload with 500.
const { proxy } = fastProxy({ base: upstream })

createServer((request, response) => {
  proxy(request, response, request.url, {})
}).listen(port, '127.0.0.1', 4096)
