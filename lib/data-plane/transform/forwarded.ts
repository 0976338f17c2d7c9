import type { FastifyRequest } from 'fastify'
import type { Exchange } from '../../../types/model.ts'
import type { Transform } from '../../../types/policy.ts'
import type { RequestHead } from '../../../types/options.ts'

/**
 * Tells the upstream who called. What an untrusted peer says of itself is dropped and our own view set in its place; only for
 * peers that the app's `trustProxy` trusts is ours added to theirs.
 */
export class Forwarded implements Transform<RequestHead> {
  readonly #hasX: boolean
  readonly #hasStandard: boolean
  /** What the route takes off the path; '' for nothing. */
  readonly #prefix: string

  constructor (mode: false | 'x-forwarded' | 'forwarded' | 'both', prefix: string) {
    this.#hasX = mode === 'x-forwarded' || mode === 'both'
    this.#hasStandard = mode === 'forwarded' || mode === 'both'
    this.#prefix = prefix
  }

  apply (head: RequestHead, { request }: Exchange): void {
    const { headers } = head
    const isTrusted = hasTrustedPeer(request)
    if (!isTrusted) dropClaims(headers)
    if (!this.#hasX && !this.#hasStandard) return
    const address = remoteAddress(request)
    // Both are Fastify's view: that of a trusted peer, or of the socket and the Host header.
    const { protocol, host } = request
    if (this.#hasX) {
      // Read from what was received: a client that names the field in Connection must not cut off what a trusted peer said.
      const chain = isTrusted ? request.headers['x-forwarded-for'] : undefined
      headers['x-forwarded-for'] = chain === undefined ? address : `${String(chain)}, ${address}`
      headers['x-forwarded-proto'] = protocol
      if (host !== '') headers['x-forwarded-host'] = host
      if (this.#prefix !== '') headers['x-forwarded-prefix'] = this.#prefix
    }
    if (this.#hasStandard) {
      const chain = isTrusted ? request.headers['forwarded'] : undefined
      const element = `for=${node(address)};host=${quoted(host)};proto=${protocol}`
      headers['forwarded'] = chain === undefined ? element : `${String(chain)}, ${element}`
    }
  }
}

/**
 * Fastify lists in `ips` whom it trusts, from the peer on: with one that it does not trust, the peer is alone in the list; and
 * without `trustProxy` there is none.
 */
function hasTrustedPeer (request: FastifyRequest): boolean {
  return request.ips !== undefined && request.ips.length > 1
}

function dropClaims (headers: RequestHead['headers']): void {
  for (const name in headers) {
    if (name === 'forwarded' || name.startsWith('x-forwarded-')) delete headers[name]
  }
}

/** Without the IPv6 dress of an IPv4 address. */
function remoteAddress (request: FastifyRequest): string {
  const address = request.raw.socket.remoteAddress ?? 'unknown'
  return address.startsWith('::ffff:') ? address.slice(7) : address
}

/** RFC 7239 6: IPv6 in brackets, and so quoted. */
function node (address: string): string {
  return address.includes(':') ? `"[${address}]"` : address
}

/** RFC 7239 4: a value that is no token is quoted; Host has been checked to hold neither quote nor backslash. */
function quoted (value: string): string {
  return /^[\w.-]+$/.test(value) ? value : `"${value}"`
}
