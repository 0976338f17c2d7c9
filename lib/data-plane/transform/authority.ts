/*
 * Authorities compared as RFC 3986 6.2.2 and 6.2.3 have it: names know no case, and a default or empty port says nothing.
 */

/** @param scheme with its colon; whose default port goes */
export function isSameAuthority (one: string, other: string, scheme: string): boolean {
  return one === other || bareAuthority(one, scheme) === bareAuthority(other, scheme)
}

function bareAuthority (authority: string, scheme: string): string {
  return authority.toLowerCase().replace(scheme === 'https:' ? /:(?:443)?$/ : /:(?:80)?$/, '')
}

/** The scheme that an endpoint is spoken to by, with its colon; a Unix socket has http. */
export function schemeOf (origin: string): 'http:' | 'https:' {
  return origin.startsWith('https:') ? 'https:' : 'http:'
}

/** null for an origin without one, a Unix socket. */
export function authorityOf (origin: string): string | null {
  return /^https?:\/\/([^/?#]+)/.exec(origin)?.[1] ?? null
}
