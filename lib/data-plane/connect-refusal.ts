import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { symbolIn } from './fastify-symbols.ts'
import { rootOf } from './router-options.ts'
import { whenFree } from './upgrade/sockets.ts'

/** A tunnel is opened by no route. RFC 9110 15.5.6 asks for Allow, and an empty one allows nothing. */
const refusal = 'HTTP/1.1 405 Method Not Allowed\r\nAllow: \r\nContent-Length: 0\r\nConnection: close\r\n\r\n'

/** Milliseconds for which a client that was refused may go on sending before its connection is cut. */
const LINGER_TIMEOUT = 1000

/**
 * Answers CONNECT. Node closes the connection without a word where nobody listens for it, which clients take for a broken proxy
 * (RFC 9110 9.3.6). An app with a listener of its own answers by itself.
 */
export function refuseConnect (server: Server): void {
  server.on('connect', function answerConnect (request: IncomingMessage, stream: unknown) {
    if (server.listenerCount('connect') > 1) return
    // A stream of HTTP/2 comes as a response. The version does not tell: Node's HTTP/1 parser takes `HTTP/2.0` for one.
    if ('stream' in request) (stream as ServerResponse).writeHead(405, { allow: '' }).end()
    else refuse(stream as Socket)
  })
}

/** Answers CONNECT also on the servers that Fastify opens for the other address of 'localhost' (test/contract/fastify.test.ts). */
export function refuseConnectBeside (app: FastifyInstance): void {
  const root = rootOf(app)
  const place = symbolIn(root, 'fastify.serverBindings')
  const servers = place === undefined ? [] : (root as unknown as Record<symbol, Server[]>)[place]!
  for (const server of servers) refuseConnect(server)
}

function refuse (socket: Socket): void {
  socket.on('error', ignore)
  // Behind the answers to requests that came before on this connection.
  whenFree(socket, () => {
    socket.end(refusal)
    // Bytes that follow are no request of anybody's; unread, they would make a reset of the close, which overtakes the answer.
    socket.resume()
    const timer = setTimeout(() => { socket.destroy() }, LINGER_TIMEOUT)
    socket.once('close', () => { clearTimeout(timer) })
  })
}

function ignore (): void {}
