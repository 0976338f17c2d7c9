import type { Transform } from '../../../types/policy.ts'
import type { ResponseHead } from '../../../types/options.ts'
import type { ProxyExchange } from '../../model/exchange.ts'

/** How a route's two sides name the same path: `client` in front where the upstream has `upstream`. '' is the root. */
export interface PrefixPair {
  readonly client: string
  readonly upstream: string
}

/**
 * Brings redirects back under the route: a Location that is a path, or names the very origin that we asked, becomes a path as
 * the client knows it. One that leads elsewhere, or to a part of the upstream that this route does not reach, is left alone.
 */
export class RewriteLocation implements Transform<ResponseHead> {
  readonly #pair: PrefixPair

  constructor (pair: PrefixPair) {
    this.#pair = pair
  }

  apply (head: ResponseHead, exchange: ProxyExchange): void {
    const { headers } = head
    const { location } = headers
    if (typeof location === 'string') headers['location'] = this.#rewrite(location, exchange)
    const contentLocation = headers['content-location']
    if (typeof contentLocation === 'string') headers['content-location'] = this.#rewrite(contentLocation, exchange)
  }

  #rewrite (location: string, exchange: ProxyExchange): string {
    const given = pathOnUpstream(location, exchange)
    if (given === null) return location
    const path = withoutDots(given)
    const base = exchange.endpoint!.basePath + this.#pair.upstream
    if (!isUnder(path, base)) return location
    const rest = path.slice(base.length)
    const result = this.#pair.client + (rest.startsWith('/') || this.#pair.client !== '' ? rest : `/${rest}`)
    // What is cut off in front may leave '//name', which is an authority: a redirect to wherever a client's path says. '/.' keeps it a path.
    return /^\/[/\\]/.test(result) ? `/.${result}` : result
  }
}

/** The absolute path (query and fragment with it) that a reference names on the endpoint, or null if it names something else. */
function pathOnUpstream (location: string, exchange: ProxyExchange): string | null {
  let rest = location
  const scheme = /^(https?:)(?=\/\/)/i.exec(location)
  const endpoint = exchange.endpoint!
  // A Unix socket is spoken to in plain HTTP, and its origin says neither.
  const isSecure = endpoint.servername !== null
  if (scheme !== null) {
    if (scheme[1]!.toLowerCase() !== (isSecure ? 'https:' : 'http:')) return null
    rest = location.slice(scheme[1]!.length)
  }
  // Relative to the client's own path, which ends like the upstream's: right as it is.
  if (!rest.startsWith('/')) return null
  if (!rest.startsWith('//')) return rest
  const authority = /^\/\/([^/?#]*)/.exec(rest)!
  // A default port may be written out.
  const named = authority[1]!.toLowerCase().replace(isSecure ? /:443$/ : /:80$/, '')
  const sent = exchange.outgoing?.headers['host']
  if (named !== endpoint.origin.slice(endpoint.origin.indexOf('//') + 2) && named !== endpoint.host && named !== sent) return null
  const path = rest.slice(authority[0].length)
  return path.startsWith('/') ? path : `/${path}`
}

/** Dot segments go before a prefix comes in front, which they would else take off again (RFC 3986 5.2.4). */
function withoutDots (path: string): string {
  if (!dots.test(path)) return path
  const { pathname, search, hash } = new URL(`http://x${path}`)
  return pathname + search + hash
}

const dots = /^[^?#]*\/(?:\.|%2e){1,2}(?:[/?#]|$)/i

function isUnder (path: string, base: string): boolean {
  if (!path.startsWith(base)) return false
  const next = path.charAt(base.length)
  return base === '' || next === '' || next === '/' || next === '?' || next === '#'
}
