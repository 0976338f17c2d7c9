import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import proxy from '../../lib/index.ts'

/*
 * An answer over HTTP/2 whose head has more frames than nghttp2 takes, then a short one. In a process of its own: Node may end one in which
 * a session that failed so is collected (an assertion, `current_nghttp2_memory_ == 0`).
 */

const server = createServer({ maxSendHeaderBlockLength: 2 ** 22 }).on('stream', (stream, { ':path': path }) => {
  stream.on('error', () => {})
  const fields = path === '/long' ? Array.from({ length: 400 }, (_, index) => [`x-${index}`, 'v'.repeat(1000)]) : []
  stream.respond({ ':status': 200, ...Object.fromEntries(fields) as Record<string, string> })
  stream.end('ok')
})
await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })

const app = Fastify()
await app.register(proxy, {
  upstream: { endpoints: [`http://127.0.0.1:${(server.address() as AddressInfo).port}`], pool: { protocol: 'h2', maxHeaderSize: 2 ** 20 } }
})
for (const path of ['/long', '/short']) {
  const { statusCode, body } = await app.inject(path)
  console.log(statusCode, statusCode === 200 ? body : (JSON.parse(body) as { code: string }).code)
}
process.exit(0)
