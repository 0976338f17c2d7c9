import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'

/** Why a request is refused. */
export interface Fault {
  readonly reason: string
  /** Node's parser will refuse it too, once the head is read, and answer. */
  readonly isLeftToNode: boolean
  /** RFC 9112 6.1: 501 rather than 400. */
  readonly isUnknownCoding: boolean
}

/**
 * What Node's parser lets through and no proxy should pass on, since the next reader may take it otherwise: two Host lines,
 * none on HTTP/1.1, a list, user information or a path in Host; a Transfer-Encoding that is empty, that is anything but `chunked`, or
 * that comes with HTTP/1.0, which knows none; a Content-Length that readers round or cut each in their own way.
 * @returns what is wrong, or null
 */
export function findFault (raw: IncomingMessage): Fault | null {
  if (raw.httpVersionMajor !== 1) return findHttp2Fault(raw)
  if (raw.httpVersionMinor > 1) return fault('an HTTP version that is none')
  const { rawHeaders } = raw
  let host: string | null = null
  let coding: string | null = null
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!
    // Lengths first: few names are compared.
    if (name.length === 4) {
      if (!isNamed(name, 'host')) continue
      if (host !== null) return fault('two Host headers')
      host = rawHeaders[index + 1]!
    } else if (name.length === 14 && rawHeaders[index + 1]!.length > LENGTH_DIGITS && isNamed(name, 'content-length')) {
      return fault('a Content-Length beyond all measure')
    } else if (name.length === 17 && isNamed(name, 'transfer-encoding')) {
      if (coding !== null) return fault('two Transfer-Encoding headers')
      coding = rawHeaders[index + 1]!
    }
  }
  if (coding !== null) {
    const wrong = codingFault(coding, raw.httpVersionMinor)
    if (wrong !== null) return wrong
  }
  // HTTP/1.0 knew no Host.
  if (host === null || host === '') return raw.httpVersionMinor === 0 ? null : fault('no Host')
  return isAuthority(host) ? null : fault('an invalid Host')
}

/** All numbers of so many digits are whole ones to every reader, floating point included (Number.MAX_SAFE_INTEGER has 16). RFC 9110 8.6 asks for care here. */
const LENGTH_DIGITS = 15

function codingFault (coding: string, minor: number): Fault | null {
  if (minor === 0) return fault('a Transfer-Encoding in HTTP/1.0') // RFC 9112 6.1
  if (coding === 'chunked') return null
  if (coding === '') return fault('an empty Transfer-Encoding')
  const codings = coding.toLowerCase().split(',').map((token) => token.trim())
  if (codings.length === 1 && codings[0] === 'chunked') return null
  // Node takes the chunks off and leaves the other coding on: nobody behind us would know of it.
  if (codings.filter((name) => name === 'chunked').length > 1) return fault('chunked twice')
  return { reason: 'an unknown Transfer-Encoding', isUnknownCoding: true, isLeftToNode: codings.at(-1) !== 'chunked' }
}

function fault (reason: string): Fault {
  return { reason, isUnknownCoding: false, isLeftToNode: false }
}

/**
 * What nghttp2 lets through: an authority that is none, another one in Host (RFC 9113 8.3.1), or none at all, and a target in the
 * form of another. Connection-specific fields, upper case, bad pseudo-fields and wrong lengths it has refused by itself.
 */
function findHttp2Fault ({ headers, rawHeaders }: IncomingMessage): Fault | null {
  const authority = headers[':authority'] as string | undefined
  let host: string | undefined
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index] === 'content-length' && rawHeaders[index + 1]!.length > LENGTH_DIGITS) return fault('a Content-Length beyond all measure')
    if (rawHeaders[index] !== 'host') continue
    if (host !== undefined) return fault('two Host headers')
    host = rawHeaders[index + 1]!
  }
  const name = authority ?? host
  if (name === undefined || name === '') return fault('no authority')
  if (host !== undefined && host.toLowerCase() !== name.toLowerCase()) return fault('a Host that is not the authority')
  if (!isAuthority(name)) return fault('an invalid authority')
  const scheme = headers[':scheme']
  if (scheme !== 'http' && scheme !== 'https') return fault('another scheme than http and https')
  const path = headers[':path'] as string
  return path.startsWith('/') || path === '*' ? null : fault('an invalid :path')
}

/** Node's HTTP/1 parser takes `HTTP/2.0` for a version: to everyone who asks, it is to be one of HTTP/1 that there is not. */
export function settleVersion (raw: IncomingMessage): void {
  if ('stream' in raw) return
  raw.httpVersionMajor = 1
  raw.httpVersionMinor = 2
}

function isNamed (name: string, lowerCased: string): boolean {
  return name === lowerCased || name.toLowerCase() === lowerCased
}

/** The last one that was found valid: most requests name the same, and to compare is a tenth of looking through it. */
let lastValid = ''

/** Whether it is a name or an address, perhaps with a port: RFC 9110 7.2, without user information. */
export function isAuthority (host: string): boolean {
  if (host === lastValid) return true
  if (!isWellFormed(host)) return false
  lastValid = host
  return true
}

function isWellFormed (host: string): boolean {
  let colon = -1
  for (let index = 0; index < host.length; index++) {
    const char = host.charCodeAt(index)
    // Controls, space, DEL, non-ASCII, and `"`, `#`, `,`, `/`, `<`, `>`, `?`, `@`, `\`, `^`, `` ` ``, `{`, `|`, `}`.
    if (char <= 0x23 || char >= 0x7b || char === 0x2c || char === 0x2f || char === 0x3c || char === 0x3e ||
      char === 0x3f || char === 0x40 || char === 0x5c || char === 0x5e || char === 0x60) {
      // '!' (0x21) and '~' (0x7e) are legal, and seen nowhere; refused with the rest.
      return false
    }
    if (char === 0x5b || char === 0x5d) return isLiteral(host)
    if (colon !== -1) {
      if (char < 0x30 || char > 0x39) return false
    } else if (char === 0x3a) {
      if (index === 0) return false
      colon = index
    }
  }
  return colon === -1 || isPort(host, colon + 1)
}

/**
 * One spelling of those that name the same host: lower case, without the dot of an absolute name, without a port that is the scheme's own or
 * none. Whether http's or https's: the proxy may stand behind what ends TLS.
 */
export function normalAuthority (host: string): string {
  return settledName(host).replace(/:(?:80|443)?$/, '')
}

/** The same with the port that is written: a pattern may ask for one. */
export function settledName (host: string): string {
  return host.toLowerCase().replace(/\.(?=$|:\d*$)/, '')
}

/** An address in brackets, perhaps with a port. */
function isLiteral (host: string): boolean {
  const parts = literal.exec(host)
  return parts !== null && isIP(parts[1]!) === 6 && (parts[2] === undefined || isPort(parts[2], 0))
}

const literal = /^\[([0-9a-f:.]+)\](?::(\d*))?$/i

/** RFC 3986 3.2.3: digits, or none at all; no TCP has more of them. */
function isPort (text: string, from: number): boolean {
  return Number(text.slice(from)) <= 65_535
}
