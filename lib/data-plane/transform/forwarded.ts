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
    const isTrusted = hasTrustedPeer(request, headers)
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
      // RFC 7239 4: what is malformed is dropped rather than repaired; behind it, ours could be read as part of it.
      headers['forwarded'] = chain === undefined || !isForwarded(String(chain)) ? element : `${String(chain)}, ${element}`
    }
  }
}

/**
 * Fastify lists in `ips` whom it trusts, from the peer on: with one that it does not trust, the peer is alone in the list; and
 * without `trustProxy` there is none. The list is made of X-Forwarded-For: where a peer claims something in other fields alone,
 * it is made once with a stand-in for that.
 */
function hasTrustedPeer (request: FastifyRequest, claims: RequestHead['headers']): boolean {
  const { ips } = request
  if (ips === undefined || ips.length > 1) return ips !== undefined
  const { headers } = request.raw
  if ((headers['x-forwarded-for'] ?? '') !== '' || !hasClaims(claims)) return false
  const before = headers['x-forwarded-for']
  headers['x-forwarded-for'] = 'unknown'
  try {
    return request.ips!.length > 1
  } finally {
    if (before === undefined) delete headers['x-forwarded-for']
    else headers['x-forwarded-for'] = before
  }
}

function isClaim (name: string): boolean {
  return name === 'forwarded' || name.startsWith('x-forwarded-')
}

function hasClaims (headers: RequestHead['headers']): boolean {
  for (const name in headers) {
    if (isClaim(name)) return true
  }
  return false
}

function dropClaims (headers: RequestHead['headers']): void {
  for (const name in headers) {
    if (isClaim(name)) delete headers[name]
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

/** RFC 7239 4: elements of `name=value` pairs, each name once in an element, whatever its case; empty elements are skipped (RFC 9110 5.6.1). */
export function isForwarded (value: string): boolean {
  const names = new Set<string>()
  for (let position = 0; position < value.length; position = pair.lastIndex) {
    pair.lastIndex = position
    const found = pair.exec(value)
    if (found === null) return false
    const name = found[1]?.toLowerCase()
    if (name !== undefined && names.has(name)) return false
    if (name !== undefined) names.add(name)
    if (found[2] !== ';') names.clear()
  }
  return true
}

const pair = /[ \t]*(?:([!#$%&'*+.^`|~\w-]+)=(?:[!#$%&'*+.^`|~\w-]+|"(?:[^"\\]|\\[^])*")[ \t]*)?([;,]|$)/y
