import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { port, tls } from '../contract.ts'
import { countOf, delay, large, medium, small } from '../answers.ts'

// A process of its own: what the delayed path and check.ts ask, and everything where nginx is not installed.

type Answer = (request: IncomingMessage, response: ServerResponse) => void

const answers: Record<string, Answer> = {
  '/small': whole('application/json', small),
  '/64k': whole('text/plain', medium),
  '/10m': whole('text/plain', large),
  '/echo-length': countUpload,
  '/slow': answerLater,
  '/echo': echo,
  // Not within the time of any measurement.
  '/never': () => {},
  '/chunked': answerInChunks,
  '/redirect': (_request, response) => { response.writeHead(302, { location: '/small', 'content-length': 0 }).end() },
  '/cookies': (_request, response) => { response.writeHead(200, { 'set-cookie': ['a=1; Path=/', 'b=2; Expires=Thu, 01 Jan 2037 00:00:00 GMT'], 'content-length': 0 }).end() },
  '/not-modified': (_request, response) => { response.writeHead(304, { etag: '"v1"' }).end() },
  '/no-content': (_request, response) => { response.writeHead(204).end() },
  '/where': (request, response) => whole('text/plain', Buffer.from(request.socket.localAddress ?? ''))(request, response),
  '/missing': (_request, response) => { response.writeHead(404, { 'content-length': 4 }).end('gone') }
}

function whole (type: string, body: Buffer): Answer {
  const head = { 'content-type': type, 'content-length': body.length }
  return (_request, response) => { response.writeHead(200, head).end(body) }
}

function countUpload (request: IncomingMessage, response: ServerResponse): void {
  let bytes = 0
  request.on('data', (chunk: Buffer) => { bytes += chunk.length })
  request.on('end', () => whole('text/plain', countOf(bytes))(request, response))
}

function answerLater (request: IncomingMessage, response: ServerResponse): void {
  setTimeout(whole('application/json', small), delay, request, response)
}

function echo (request: IncomingMessage, response: ServerResponse): void {
  response.setHeader('content-type', request.headers['content-type'] ?? 'application/octet-stream')
  request.pipe(response)
}

function answerInChunks (_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/plain' })
  response.write(medium.subarray(0, 1000))
  // Later, so that the two do not travel as one.
  setTimeout(() => response.end(medium.subarray(1000)), 5)
}

function answerAny (request: IncomingMessage, response: ServerResponse): void {
  const path = request.url ?? ''
  const answer = answers[path.startsWith('/route-') ? '/small' : path]
  if (answer) return answer(request, response)

  response.writeHead(500, { 'content-length': 0 }).end()
}

// A peer without keep-alive towards us would wait in the backlog.
const keepAliveTimeout = 600_000
for (let index = 1; index <= 8; index++) createServer({ keepAliveTimeout }, answerAny).listen({ port, host: `127.0.0.${index}`, backlog: 4096 })
createSecureServer({ ...tls(), keepAliveTimeout }, answerAny).listen({ port, host: '127.0.0.9', backlog: 4096 })
