import { isIP, type Socket } from 'node:net'
import { errors } from 'undici'
import type { Origin } from '../../model/origin.ts'
import { type ProxyError, proxyError } from '../../errors.ts'

/** A proxy through which connections to endpoints are made. */
export interface ForwardProxy {
  readonly isSecure: boolean
  readonly hostname: string
  readonly port: number
  /** Of Proxy-Authorization; null for none. Told nowhere else. */
  readonly authorization: string | null
}

/** Bytes of an answer to CONNECT, its interim answers included; what servers usually take for a head. */
const ANSWER_LIMIT = 16 * 1024

/** The fault in the URL of a proxy, in words that hold nothing of it; null if there is none. */
export function findProxyFault (text: string): string | null {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    return "must be the http or https URL of a proxy, such as 'http://proxy:3128'"
  }
  if (url.pathname !== '/' || /[?#]/.test(text)) return "must be a URL without path and query, such as 'http://proxy:3128'"
  try {
    const user = decodeURIComponent(url.username)
    const password = decodeURIComponent(url.password)
    // RFC 7617 2.
    if (user.includes(':')) return 'has a user name with a colon, which Basic has no room for'
    if (/\p{Cc}/u.test(user + password)) return 'has control characters in its user information'
  } catch {
    return 'has user information whose percent-encoding is not that of UTF-8'
  }
  return null
}

/** @param text one in which `findProxyFault` finds nothing */
export function readProxy (text: string): ForwardProxy {
  const { protocol, hostname, port, username, password } = new URL(text)
  const isSecure = protocol === 'https:'
  const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return {
    isSecure,
    hostname: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port || (isSecure ? 443 : 80)),
    authorization: user === ':' ? null : `Basic ${Buffer.from(user).toString('base64')}`
  }
}

/**
 * Has a proxy connect to an endpoint (RFC 9110 9.3.6). From then on the socket is the endpoint's; bytes that came behind the answer are its
 * first. Nothing of a request has been sent by then, so that every failure is one to connect.
 * @param done called once
 */
export function openTunnel (
  socket: Socket,
  { authorization }: ForwardProxy,
  { hostname, port }: Origin,
  done: (error: Error | null) => void
): void {
  const authority = `${isIP(hostname) === 6 ? `[${hostname}]` : hostname}:${port}`
  let received: Buffer = Buffer.alloc(0)
  /** Bytes of interim answers. */
  let passed = 0

  function finish (error: Error | null, rest: Buffer | null = null): void {
    socket.off('data', read).off('end', ended).off('error', failed)
    socket.pause()
    if (rest !== null && rest.length > 0) socket.unshift(rest)
    done(error)
  }

  function read (chunk: Buffer): void {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
    for (;;) {
      const end = received.indexOf('\r\n\r\n', 0, 'latin1')
      const status = /^HTTP\/1\.[01] ([1-5]\d\d)(?:[ \r]|$)/.exec(received.toString('latin1', 0, 16))
      const isWholeLine = end !== -1 || received.length >= STATUS_END
      if (passed + (end === -1 ? received.length : end) > ANSWER_LIMIT) return finish(broken('too long a head'))
      if (!mayBeAnswer(received) || (status === null && isWholeLine)) return finish(broken('what is no HTTP'))
      if (end === -1) return
      const code = Number(status![1])
      const rest = received.subarray(end + 4)
      if (code >= 200 && code < 300) return finish(null, rest)
      // An interim answer; 101 would be to another request.
      if (code >= 200 || code === 101) return finish(refusal(code))
      passed += end + 4
      received = rest
    }
  }

  function ended (): void {
    finish(proxyError('request_refused', 'connect', new errors.SocketError('the proxy closed the connection before it answered CONNECT')))
  }

  function failed (error: NodeJS.ErrnoException): void {
    // A reset is one by the proxy here, which without a tunnel is one in a handshake.
    finish(error.code === 'ECONNRESET' || error.code === 'EPIPE' ? proxyError('request_refused', 'connect', error) : error)
  }

  socket.on('data', read).on('end', ended).prependListener('error', failed)
  const credentials = authorization === null ? '' : `Proxy-Authorization: ${authorization}\r\n`
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${credentials}\r\n`)
}

const BEGINNING = 'HTTP/1.'
/** `HTTP/1.1 200 `: as far as the end of the status. */
const STATUS_END = 13

function mayBeAnswer (received: Buffer): boolean {
  return BEGINNING.startsWith(received.toString('latin1', 0, BEGINNING.length))
}

/** Whatever its reason, nobody has been sent anything. */
function refusal (code: number): ProxyError {
  const cause = new Error(`the proxy answered CONNECT with ${code}`)
  return proxyError(code === 504 ? 'connection_timeout' : 'connection_refused', 'connect', cause)
}

function broken (answer: string): ProxyError {
  return proxyError('tunnel_broken', 'connect', new Error(`the proxy answered CONNECT with ${answer}`))
}
