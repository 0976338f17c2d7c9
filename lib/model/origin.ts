/** The address of an endpoint, taken apart. */
export interface Origin {
  /** `scheme://host:port`, or `unix:/run/app.sock`: its name in logs, metrics, spans and keys. */
  readonly text: string
  readonly isSecure: boolean
  /** Name or address, without brackets. */
  readonly hostname: string
  /** null for a Unix socket. */
  readonly port: number | null
  /** Host, where nothing else is asked for. */
  readonly authority: string
  /** Of the URL, as it is written; '/' for none. */
  readonly path: string
  /** Path of the Unix socket; null for TCP. */
  readonly socketPath: string | null
}

/** Bytes of a path in sockaddr_un, without its NUL. What is longer would be cut off, and another socket may have that name. */
const SOCKET_PATH_LIMIT = process.platform === 'linux' ? 107 : 103

const SCHEME = /^unix:/i

export function isUnixSocket (text: string): boolean {
  return SCHEME.test(text)
}

/**
 * Nothing of a socket's path is decoded, and it has no base path: every character may be one of a file's name.
 * @param text one in which `findOriginFault` finds nothing
 */
export function readOrigin (text: string): Origin {
  if (isUnixSocket(text)) {
    const socketPath = socketPathOf(text)
    return { text: `unix:${socketPath}`, isSecure: false, hostname: 'localhost', port: null, authority: 'localhost', path: '/', socketPath }
  }
  const { origin, protocol, hostname, port, host, pathname } = new URL(text)
  const isSecure = protocol === 'https:'
  return {
    text: origin,
    isSecure,
    hostname: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port || (isSecure ? 443 : 80)),
    authority: host,
    path: pathname,
    socketPath: null
  }
}

/** SNI, and what is checked against a certificate, ends without the dot of an absolute name (RFC 6066 3). */
export function nameForTls (hostname: string): string {
  return hostname.replace(/\.$/, '')
}

/** A path on it, as nginx writes one on a socket: the colon is where the file's name ends. */
export function urlOn (origin: string, path: string): string {
  return isUnixSocket(origin) ? `${origin}:${path}` : origin + path
}

/** `unix:///run/app.sock` is the same, written with an empty authority. */
function socketPathOf (text: string): string {
  return text.slice('unix:'.length).replace(/^\/\/(?=\/)/, '')
}

/** The fault in what is meant for a Unix socket; null if there is none, or something else is meant. */
export function findSocketFault (text: string): string | null {
  // Of other programs: `http://unix:/run/app.sock` is a URL, whose host is named unix.
  if (/^(?:https?:\/\/unix:\/|unix\+https?:|https?\+unix:)/i.test(text)) return "a Unix socket is written 'unix:/run/app.sock'"
  if (!isUnixSocket(text)) return null
  const path = socketPathOf(text)
  if (!path.startsWith('/')) return "the path of a Unix socket is absolute: 'unix:/run/app.sock'"
  if (path.startsWith('//')) return "a Unix socket has no host: 'unix:/run/app.sock'"
  if (path.endsWith('/')) return 'this is a folder, and no socket'
  if (/[?#]/.test(path)) return 'a Unix socket has no query'
  if (/\p{Cc}/u.test(path)) return 'the path of a Unix socket has no control characters'
  const length = Buffer.byteLength(path)
  return length > SOCKET_PATH_LIMIT ? `the path of a Unix socket has at most ${SOCKET_PATH_LIMIT} bytes, not ${length}` : null
}
