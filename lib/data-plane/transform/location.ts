import type { Transform } from '../../../types/policy.ts'
import type { ResponseHead } from '../../../types/options.ts'
import type { ProxyExchange } from '../../model/exchange.ts'
import { pathAtUpstream, toldPrefix } from './told.ts'

/** How a route's two sides name the same path: `client` in front where the upstream has `upstream`. '' is the root. */
export interface PrefixPair {
  readonly client: string
  readonly upstream: string
}

/**
 * Brings redirects back under the route, once: a Location that is a path, or names the endpoint, the Host that it was sent or what it was
 * told of the client's side, becomes a path as the client knows it; so does a relative one that would lead the client elsewhere. One that
 * leads elsewhere at the upstream, or to a part of it that this route does not reach, is left alone.
 */
export class RewriteLocation implements Transform<ResponseHead> {
  readonly #pair: PrefixPair

  constructor (pair: PrefixPair) {
    this.#pair = pair
  }

  apply (head: ResponseHead, exchange: ProxyExchange): void {
    const { headers } = head
    const { location, refresh } = headers
    if (typeof location === 'string') headers['location'] = this.#rewrite(location, exchange)
    const contentLocation = headers['content-location']
    if (typeof contentLocation === 'string') headers['content-location'] = this.#rewrite(contentLocation, exchange)
    if (typeof refresh === 'string') {
      headers['refresh'] = refresh.replace(timed, (_all, before: string, url: string) => before + this.#rewrite(url, exchange))
    }
  }

  #rewrite (location: string, exchange: ProxyExchange): string {
    const given = pathAtUpstream(location, exchange)
    if (given === null) return isRelative(location) ? this.#rewriteRelative(location, exchange) : location
    return this.#toPublic(withoutDots(given), exchange) ?? location
  }

  /** A relative path stays as it is where it leads from the client's own path to the same place: not from `/shop`, nor above it. */
  #rewriteRelative (location: string, exchange: ProxyExchange): string {
    const { override, outgoing, path } = exchange
    // The path that code gives reply.proxy has no name on the client's side.
    if (override !== null) return location
    const there = resolve(location, outgoing!.path)
    if (there === null) return location
    const here = this.#toPublic(there, exchange)
    return here === null || here === resolve(location, path) ? location : here
  }

  /** @returns null for a path that this route does not reach */
  #toPublic (given: string, exchange: ProxyExchange): string | null {
    const path = toPublic(given, this.#pair, exchange.endpoint!.basePath, frontOf(exchange, this.#pair.client))
    if (path === null) return null
    // A cut in front may leave '//name', which is an authority: a redirect to wherever a client's path says. '/.' keeps it a path. Browsers
    // take tabs out of a URL before they read it.
    return /^\/\t*[/\\]/.test(path) ? `/.${path}` : path
  }
}

/** `5; url=/next`: the time, and where to then (WHATWG HTML, shared declarative refresh steps). */
const timed = /^([\d.\s]*[;,]\s*url\s*=\s*["']?)([^"'\s]+)/i

/** The prefix that the upstream was told, and what stands in its place for the client. */
interface Front {
  readonly told: string
  readonly shown: string
}

/** A trusted peer tells the prefix that it has taken off itself, and the route's comes behind; a prefix of the options is all of it. */
function frontOf (exchange: ProxyExchange, client: string): Front | null {
  const told = toldPrefix(exchange)
  if (told === null) return null
  const isPeers = exchange.request.headers['x-forwarded-prefix'] === exchange.outgoing!.headers['x-forwarded-prefix']
  return { told, shown: isPeers && !told.endsWith(client) ? told + client : told }
}

/**
 * The client's name of a path that an upstream gave. A path that can be read in several ways is, in this order: the told prefix in front of
 * the upstream's own path; the upstream's own path, where every one of those begins with the client's prefix; a path that is under the
 * client's prefix already; the upstream's own path.
 * @returns null for a path that this route does not reach
 */
function toPublic (path: string, { client, upstream }: PrefixPair, basePath: string, front: Front | null): string | null {
  const own = basePath + upstream
  if (front !== null) {
    if (front.shown !== front.told && isUnder(path, front.shown)) return path
    if (isUnder(path, front.told + own)) return joined(front.shown, path.slice(front.told.length + own.length))
  }
  const isPublic = client !== '' && isUnder(path, client)
  if (isPublic && !isUnder(own, client)) return path
  if (isUnder(path, own)) return joined(client, path.slice(own.length))
  return isPublic ? path : null
}

function joined (prefix: string, rest: string): string {
  return prefix === '' && !rest.startsWith('/') ? `/${rest}` : prefix + rest
}

/** A path that begins with no slash (RFC 3986 4.2); a query or a fragment alone is of the same path on both sides. */
function isRelative (reference: string): boolean {
  return reference !== '' && !/^(?:[/\\?#]|[a-z][a-z\d+.-]*:)/i.test(reference)
}

/** @returns null for what leaves the place, to readers of URLs at least */
function resolve (reference: string, path: string): string | null {
  const base = `http://x${path}`
  if (!URL.canParse(reference, base)) return null
  const { host, pathname, search, hash } = new URL(reference, base)
  return host === 'x' ? pathname + search + hash : null
}

/** Dot segments go before a prefix comes in front, which they would else take off again (RFC 3986 5.2.4). */
function withoutDots (path: string): string {
  if (!dots.test(path)) return path
  const { pathname, search, hash } = new URL(`http://x${path}`)
  return pathname + search + hash
}

const dots = /^[^?#]*\/(?:\.|%2e){1,2}(?:[/?#]|$)/i

/** `/a` has `/a` and `/a/b` under it, and not `/ab`. */
function isUnder (path: string, base: string): boolean {
  if (!path.startsWith(base)) return false
  const next = path.charAt(base.length)
  return base === '' || next === '' || next === '/' || next === '?' || next === '#'
}
