import { Agent, createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { port, upstream } from '../contract.ts'
import { load } from '../modules.ts'

interface Httpxy {
  createProxyServer (options: { target: string, agent: Agent }): {
    web (request: IncomingMessage, response: ServerResponse): Promise<void>
  }
}

const { createProxyServer } = load('httpxy') as Httpxy

// Without an agent it would open a connection per request.
const proxy = createProxyServer({ target: upstream, agent: new Agent({ keepAlive: true }) })

createServer((request, response) => {
  proxy.web(request, response).catch((error) => response.destroy(error))
}).listen(port, '127.0.0.1', 4096)
