import type { Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { cutOff } from './failure.ts'
import { lingering } from './lingering.ts'

type Listener = (error: Error & { code?: string }, socket: Socket) => void

/**
 * Puts itself before those who answer what Node's parser cannot read. Fastify's own, like most, writes a 400 whatever else goes over
 * the connection: into the middle of a response, or in the place of one that has not begun, which the client would take it for.
 */
export function guardResponses (server: Server): void {
  for (const listener of server.listeners('clientError') as Listener[]) {
    server.off('clientError', listener)
    server.on('clientError', function answerUnlessBusy (this: Server, error: Error & { code?: string }, socket: Socket) {
      // The answer is out: what is wrong with the rest of its request, or takes too long, is not answered once more.
      if (lingering.has(socket)) {
        socket.destroy()
        return
      }
      // The response whose turn it is: Node's own way of answering asks for it too.
      const response = (socket as Socket & { _httpMessage?: ServerResponse | null })._httpMessage ?? null
      if (response === null || !isBusy(response)) {
        listener.call(this, error, socket)
      } else if (response.req.complete) {
        // It is about what came behind a whole request. That gets its answer, and the connection ends with it (RFC 9112 9.3, 9.6).
        if (response.headersSent) return
        response.shouldKeepAlive = false
      } else {
        cutOff(response)
      }
    })
  }
}

/** Whether there is a response that a 400 would spoil: one that has begun, or that a whole request waits for. */
function isBusy (response: ServerResponse): boolean {
  return !response.writableFinished && (response.headersSent || response.req.complete)
}
