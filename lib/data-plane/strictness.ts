import type { IncomingMessage } from 'node:http'

/**
 * What Node's parser lets through and no proxy should pass on, since the next reader may take it otherwise: two Host lines,
 * none on HTTP/1.1, a list, user information or a path in Host, and an empty Transfer-Encoding.
 * @returns what is wrong, or null
 */
export function findFault (raw: IncomingMessage): string | null {
  if (raw.httpVersionMajor !== 1) return findHttp2Fault(raw)
  const { rawHeaders } = raw
  let host: string | null = null
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!
    // Lengths first: few names are compared.
    if (name.length === 4) {
      if (!isNamed(name, 'host')) continue
      if (host !== null) return 'two Host headers'
      host = rawHeaders[index + 1]!
    } else if (name.length === 17 && rawHeaders[index + 1] === '' && isNamed(name, 'transfer-encoding')) {
      return 'an empty Transfer-Encoding'
    }
  }
  // HTTP/1.0 knew no Host.
  if (host === null || host === '') return raw.httpVersionMinor === 0 ? null : 'no Host'
  return isAuthority(host) ? null : 'an invalid Host'
}

/**
 * What nghttp2 lets through: an authority that is none, another one in Host (RFC 9113 8.3.1), or none at all, and a target in the
 * form of another. Connection-specific fields, upper case, bad pseudo-fields and wrong lengths it has refused by itself.
 */
function findHttp2Fault ({ headers, rawHeaders }: IncomingMessage): string | null {
  const authority = headers[':authority'] as string | undefined
  let host: string | undefined
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index] !== 'host') continue
    if (host !== undefined) return 'two Host headers'
    host = rawHeaders[index + 1]!
  }
  const name = authority ?? host
  if (name === undefined || name === '') return 'no authority'
  if (host !== undefined && host.toLowerCase() !== name.toLowerCase()) return 'a Host that is not the authority'
  if (!isAuthority(name)) return 'an invalid authority'
  const scheme = headers[':scheme']
  if (scheme !== 'http' && scheme !== 'https') return 'another scheme than http and https'
  const path = headers[':path'] as string
  return path.startsWith('/') || path === '*' ? null : 'an invalid :path'
}

function isNamed (name: string, lowerCased: string): boolean {
  return name === lowerCased || name.toLowerCase() === lowerCased
}

/** Whether it is a name or an address, perhaps with a port: RFC 9110 7.2, without user information. */
export function isAuthority (host: string): boolean {
  for (let index = 0; index < host.length; index++) {
    const char = host.charCodeAt(index)
    // Controls, space, DEL, non-ASCII, and `"`, `#`, `,`, `/`, `<`, `>`, `?`, `@`, `\`, `^`, `` ` ``, `{`, `|`, `}`.
    if (char <= 0x23 || char >= 0x7b || char === 0x2c || char === 0x2f || char === 0x3c || char === 0x3e ||
      char === 0x3f || char === 0x40 || char === 0x5c || char === 0x5e || char === 0x60) {
      // '!' (0x21) and '~' (0x7e) are legal, and seen nowhere; refused with the rest.
      return false
    }
  }
  return true
}
