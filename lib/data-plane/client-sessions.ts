import type { EventEmitter } from 'node:events'
import type { ServerHttp2Session } from 'node:http2'

/**
 * Connections of clients that speak HTTP/2. Node 20 closes none of them when the app does, and an idle one would hold that up until its
 * client goes (Node 24 closes those without streams).
 */
export class ClientSessions {
  readonly #sessions = new Set<ServerHttp2Session>()
  #isDraining = false

  /** @param server the app's; one of HTTP/1 has no sessions */
  constructor (server: EventEmitter) {
    server.on('session', (session: ServerHttp2Session) => {
      this.#sessions.add(session)
      session.once('close', () => { this.#sessions.delete(session) })
      if (this.#isDraining) session.close()
    })
  }

  get size (): number {
    return this.#sessions.size
  }

  /** Tells each by a GOAWAY to go elsewhere; what is under way on it ends in peace (RFC 9113 6.8). */
  drain (): void {
    this.#isDraining = true
    for (const session of this.#sessions) session.close()
  }
}
