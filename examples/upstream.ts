import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import process from 'node:process'

/*
 * A small service of which the demonstration starts two versions, each a process of its own: it answers with what it received, so
 * that one sees what the gateway has made of a request.
 */

const version = process.argv[2] ?? 'stable'

const server = createServer((request, response) => {
  const { method, url, headers } = request
  request.resume()
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(`${JSON.stringify({ version, method, url, headers }, null, 2)}\n`)
})
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))

// It ends with the demonstration, however that ends, and not before it: Ctrl-C goes to both.
process.on('disconnect', () => process.exit())
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {})
