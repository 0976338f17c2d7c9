import { createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { Dispatcher, Pool as UndiciPool } from 'undici'
import { feature, port, secureName, secureUpstream, tls, upstream } from '../contract.ts'
import { load } from '../modules.ts'

// What node:http and undici cost by themselves: no routes, no features, but right. Hop-by-hop headers stay on their hop, a slow
// reader slows the upstream down, a client that leaves ends the request.

const { Pool } = load('undici') as { Pool: typeof UndiciPool }
const pool = feature === 'tls' ? new Pool(secureUpstream, { connect: { ca: tls().ca, servername: secureName } }) : new Pool(upstream)

class Answer implements Dispatcher.DispatchHandler {
  readonly #response: ServerResponse
  #controller: Dispatcher.DispatchController | null = null

  constructor (response: ServerResponse) {
    this.#response = response
    response.once('close', () => {
      if (!response.writableFinished) this.#controller?.abort(new Error('the client left'))
    })
    response.on('drain', () => this.#controller?.resume())
  }

  onRequestStart (controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#response.destroyed) controller.abort(new Error('the client left'))
  }

  onResponseStart (_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200) return
    dropHopByHop(headers)
    this.#response.writeHead(status, headers)
  }

  onResponseData (controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#response.write(chunk)) controller.pause()
  }

  onResponseEnd (): void {
    this.#response.end()
  }

  onResponseError (): void {
    if (this.#response.headersSent) {
      // Too late for a status: a cut body must not be taken for a whole one.
      this.#response.destroy()
    } else {
      this.#response.writeHead(502, { 'content-length': 0 }).end()
    }
  }
}

function dropHopByHop (headers: IncomingHttpHeaders): void {
  delete headers.connection
  delete headers['keep-alive']
  delete headers['transfer-encoding']
  delete headers.upgrade
}

function pass (request: IncomingMessage, response: ServerResponse): void {
  const { headers } = request
  const hasBody = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined
  dropHopByHop(headers)

  pool.dispatch({
    path: request.url!,
    method: request.method as Dispatcher.HttpMethod,
    headers,
    body: hasBody ? request : null,
    // undici would close the connection after each HEAD.
    reset: false
  }, new Answer(response))
}

const entry = feature === 'tls' ? createSecureServer(tls(), pass) : createServer(pass)
entry.listen(port, '127.0.0.1', 4096)
