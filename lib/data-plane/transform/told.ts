import type { ProxyExchange } from '../../model/exchange.ts'
import { authorityOf, isSameAuthority, schemeOf } from './authority.ts'

/*
 * Places in the words of the upstream, which builds them from its own origin, from the Host that it is sent, or from what it is told of the
 * client's side. All is read from what was sent, by whomever it was set.
 */

type Headers = Readonly<Record<string, string | string[]>>

const nothing: Headers = Object.freeze({})

/**
 * The absolute path, query and fragment with it, that a reference names at the upstream or at this gateway.
 * @returns null for a reference that names something else, or is relative to the client's own path
 */
export function pathAtUpstream (reference: string, exchange: ProxyExchange): string | null {
  const place = /^(https?:)?\/\/([^/?#]*)/i.exec(reference)
  if (place === null) return reference.startsWith('/') ? reference : null
  if (!isKnown(place[1]?.toLowerCase() ?? null, place[2]!, exchange)) return null
  const path = reference.slice(place[0].length)
  return path.startsWith('/') ? path : `/${path}`
}

/** X-Forwarded-Prefix as it was sent, without a slash at its end; null for none, and for one that is no single path. */
export function toldPrefix ({ outgoing }: ProxyExchange): string | null {
  const prefix = outgoing?.headers['x-forwarded-prefix']
  if (typeof prefix !== 'string' || !prefix.startsWith('/') || prefix.includes(',')) return null
  const bare = prefix.replace(/\/$/, '')
  return bare === '' || bare === '/' ? null : bare
}

/** @param scheme null where the reference leaves it open */
function isKnown (scheme: string | null, authority: string, exchange: ProxyExchange): boolean {
  const { origin, host } = exchange.endpoint!
  const own = schemeOf(origin)
  const sent: Headers = exchange.outgoing?.headers ?? nothing
  const { schemes, hosts } = toldPlace(sent)
  const isAt = (known: string, name: string): boolean => (scheme === null || scheme === known) && isSameAuthority(authority, name, known)
  const sentHost = String(sent['host'] ?? host)
  return [authorityOf(origin), host, sentHost].some((name) => name !== null && isAt(own, name)) ||
    // The Host that was sent goes with the scheme that was told as well: TLS may end in front of us.
    schemes.some((told) => isAt(told, sentHost) || hosts.some((name) => isAt(told, name))) ||
    (schemes.length === 0 && hosts.some((name) => isAt(own, name)))
}

/** By X-Forwarded-Proto and -Host, which may be lists, by Forwarded, and by one X-Forwarded-Port. */
function toldPlace (sent: Headers): { schemes: string[], hosts: string[] } {
  const schemes = listed(sent['x-forwarded-proto'])
  const hosts = listed(sent['x-forwarded-host'])
  for (const [, name, quoted, token] of String(sent['forwarded'] ?? '').matchAll(pair)) {
    (name!.toLowerCase() === 'host' ? hosts : schemes).push(quoted?.replaceAll(/\\(.)/g, '$1') ?? token!)
  }
  // Some upstreams put the port that they are told in the place of the host's.
  const port = sent['x-forwarded-port']
  if (typeof port === 'string' && /^\d+$/.test(port)) hosts.push(...hosts.map((host) => `${host.replace(/:\d*$/, '')}:${port}`))
  return { schemes: schemes.map((scheme) => `${scheme.toLowerCase()}:`), hosts }
}

const pair = /(?:^|[;,])\s*(host|proto)=(?:"((?:[^"\\]|\\.)*)"|([^;,"\s]+))/gi

function listed (field: string | string[] | undefined): string[] {
  return field === undefined ? [] : [field].flat().join(',').split(',').map((item) => item.trim()).filter((item) => item !== '')
}
