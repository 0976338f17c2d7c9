import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Origin } from '../../model/origin.ts'
import type { Remote } from './connection.ts'
import { headLimitOf } from './head-limit.ts'
import { LIST_PAIRS, listSizeOf } from './http2-head.ts'
import type { PoolConfig } from './index.ts'
import { remoteOf } from './remote.ts'
import { type Opening, Transport } from './transport.ts'

/** Bytes of a response that wait in us for a slow reader; what undici's HTTP/2 has. */
const STREAM_WINDOW = 256 * 1024
/** Node gives the connection's window back as soon as bytes arrive, so this bounds what is on the way, not what is held. */
const CONNECTION_WINDOW = 4 * 1024 * 1024
/** Bytes of a request's head. Node's own bound, 64 KiB, is below what an app may let its clients send. */
const REQUEST_HEAD = 1024 * 1024

/** A session that was opened, and what its socket said by then. */
export interface Http2Opened {
  readonly session: ClientHttp2Session
  readonly remote: Remote
  /** TLS has taken up where an earlier connection had been. */
  readonly hasResumed: boolean
}

export type Http2Connected = (error: Error | null, opened: Http2Opened | null) => void

/**
 * Opens sessions of HTTP/2, in time. To an http:// origin, or on a Unix socket, with prior knowledge (RFC 9113 3.3), to an https:// one by
 * ALPN, which offers nothing else: what came out as HTTP/1.1 would be another pool's.
 */
export class Http2Connector {
  readonly #origin: Origin
  readonly #transport: Transport
  readonly #url: string
  readonly #headLimit: number

  constructor (origin: Origin, config: PoolConfig) {
    this.#origin = origin
    this.#transport = new Transport(origin, config, ['h2'])
    this.#url = `${origin.isSecure ? 'https' : 'http'}://${origin.authority}`
    this.#headLimit = headLimitOf(config)
  }

  /** @param connected called once, not at once */
  connect (connected: Http2Connected): Opening {
    return this.#transport.open((error, socket) => {
      if (error !== null) connected(error, null)
      else if (this.#origin.isSecure && (socket as TLSSocket).alpnProtocol !== 'h2') {
        socket!.destroy()
        connected(Object.assign(new Error('the upstream does not speak HTTP/2'), { code: 'ERR_SSL_NO_APPLICATION_PROTOCOL' }), null)
      } else connected(null, this.#speak(socket!))
    })
  }

  #speak (socket: Socket): Http2Opened {
    // First: the session takes the socket, and lets nobody ask it once it is destroyed.
    const remote = remoteOf(socket, this.#origin, true)
    const hasResumed = this.#origin.isSecure && (socket as TLSSocket).isSessionReused()
    const session = connectHttp2(this.#url, {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW, maxHeaderListSize: listSizeOf(this.#headLimit) },
      // Node's own bound, 128, is below what upstreams send over HTTP/1.1; their size has a bound of its own.
      maxHeaderListPairs: LIST_PAIRS,
      maxSendHeaderBlockLength: REQUEST_HEAD,
      maxSessionMemory: 64
    })
    // Of a session that was destroyed before, Node says so all the same (test/contract/http2-session.test.ts).
    session.once('connect', () => { if (!session.destroyed) session.setLocalWindowSize(CONNECTION_WINDOW) })
    return { session, remote, hasResumed }
  }
}
