import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'
import { readAgain } from './sockets.ts'

/** What asks for an upgrade, and nothing else (RFC 9113 3.1 for the last). */
const asking = new Set(['upgrade', 'http2-settings'])

/**
 * Gives a request that asked for an upgrade back to Node's server, without the asking: with its body and all that follows on the
 * connection, neither of which Node reads of an upgrade. Where Node declines one by itself (no listener, or `shouldUpgradeCallback` of
 * 24.9 on), it loses the requests that came behind it in the same read; this does not.
 */
export function servePlain (server: Server, request: IncomingMessage, socket: Socket, head: Buffer): void {
  socket.unshift(Buffer.concat([Buffer.from(plainHead(request), 'latin1'), head]))
  readAgain(server, socket)
}

export function plainHead ({ method, url, httpVersion, rawHeaders }: Pick<IncomingMessage, 'method' | 'url' | 'httpVersion' | 'rawHeaders'>): string {
  let text = `${method} ${url} HTTP/${httpVersion}\r\n`
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!
    let value = rawHeaders[index + 1]!
    const lowerCased = name.toLowerCase()
    if (asking.has(lowerCased)) continue
    if (lowerCased === 'connection') {
      value = value.split(',').map((token) => token.trim()).filter((token) => !asking.has(token.toLowerCase())).join(', ')
      if (value === '') continue
    }
    text += `${name}: ${value}\r\n`
  }
  return `${text}\r\n`
}

/**
 * Whether Node may have lost what came behind a request for an upgrade, which it does with the rest of the same read where nobody
 * listens for upgrades (test/contract/node-upgrade.test.ts): its client has to be told that no more is answered on this connection,
 * lest it take the next answer for another's. Bytes tell, on the first request of a connection, which is where Java's HttpClient
 * offers h2c.
 */
export function mayHaveLost ({ method, url, headers, rawHeaders, socket }: IncomingMessage, server: { listenerCount (event: string): number }): boolean {
  if (server.listenerCount('upgrade') > 0) return false
  if (headers['transfer-encoding'] !== undefined) return true
  let length = `${method} ${url} HTTP/1.1\r\n\r\n`.length + Number(headers['content-length'] ?? 0)
  for (let index = 0; index < rawHeaders.length; index += 2) length += rawHeaders[index]!.length + rawHeaders[index + 1]!.length + ': \r\n'.length
  return socket.bytesRead > length
}
