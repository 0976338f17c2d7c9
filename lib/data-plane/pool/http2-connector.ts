import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2'
import { connect as connectPlain, isIP, type Socket } from 'node:net'
import { checkServerIdentity, connect as connectTls } from 'node:tls'
import { errors } from 'undici'
import type { PoolConfig } from './index.ts'

/** Bytes of a response that wait in us for a slow reader; what undici's HTTP/2 has. */
const STREAM_WINDOW = 256 * 1024
/** Node gives the connection's window back as soon as bytes arrive, so this bounds what is on the way, not what is held. */
const CONNECTION_WINDOW = 4 * 1024 * 1024

export type Connected = (error: Error | null, session: ClientHttp2Session | null) => void

/**
 * Opens sessions of HTTP/2, in time: name resolution, TCP and TLS all count. To an http:// origin with prior knowledge (RFC 9113
 * 3.3), to an https:// one by ALPN, which offers nothing else: what came out as HTTP/1.1 would be another pool's.
 */
export class Http2Connector {
  readonly #url: URL
  readonly #config: PoolConfig
  /** What the last handshake left for the next. */
  #ticket: Buffer | null = null

  constructor (origin: string, config: PoolConfig) {
    this.#url = new URL(origin)
    this.#config = config
  }

  /** @returns the socket in the making, which may be destroyed */
  connect (done: Connected): Socket {
    const { connectTimeout } = this.#config
    const isSecure = this.#url.protocol === 'https:'
    const socket = isSecure ? this.#openTls() : connectPlain({ host: this.#hostname(), port: Number(this.#url.port || 80), noDelay: true, keepAlive: true })
    let isDone = false

    const finish = (error: Error | null): void => {
      if (isDone) return
      isDone = true
      clearTimeout(timer)
      if (error === null) done(null, this.#speak(socket))
      else done(error, null)
    }
    const timer = setTimeout(function giveUp () {
      socket.destroy(new errors.ConnectTimeoutError(`no connection within ${connectTimeout} ms`))
    }, connectTimeout)
    socket.on('error', finish)
    socket.on('close', () => { finish(new errors.SocketError('closed while connecting')) })
    socket.on(isSecure ? 'secureConnect' : 'connect', () => {
      if (isSecure && (socket as Socket & { alpnProtocol?: unknown }).alpnProtocol !== 'h2') {
        socket.destroy(Object.assign(new Error('the upstream does not speak HTTP/2'), { code: 'ERR_SSL_NO_APPLICATION_PROTOCOL' }))
        return
      }
      finish(null)
    })
    return socket
  }

  #hostname (): string {
    return this.#url.hostname.replace(/^\[|\]$/g, '')
  }

  #openTls (): Socket {
    const { tls } = this.#config
    const host = this.#hostname()
    const name = tls?.servername ?? host
    const socket = connectTls({
      ...tls,
      host,
      port: Number(this.#url.port || 443),
      ALPNProtocols: ['h2'],
      // SNI has no room for addresses (RFC 6066 3); the certificate is checked against them all the same.
      servername: isIP(name) === 0 ? name : '',
      checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
      rejectUnauthorized: tls?.rejectUnauthorized ?? true,
      ...(this.#ticket !== null && { session: this.#ticket })
    })
    socket.setNoDelay(true)
    socket.on('session', (ticket: Buffer) => { this.#ticket = ticket })
    return socket
  }

  #speak (socket: Socket): ClientHttp2Session {
    const session = connectHttp2(this.#url, {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW },
      // Node's own bound, 128, is below what upstreams send over HTTP/1.1; their size has a bound of its own.
      maxHeaderListPairs: 2000,
      maxSessionMemory: 64
    })
    session.once('connect', () => { session.setLocalWindowSize(CONNECTION_WINDOW) })
    return session
  }
}
