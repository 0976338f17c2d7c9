import type { CookieOptions, ResponseHead } from '../../../types/options.ts'
import type { Transform } from '../../../types/policy.ts'

/** A new value, false to remove the attribute, or null to leave it as it is. */
type Change = (value: string) => string | false | null

/** Changes attributes of the upstream's cookies. What it does not know of a cookie goes through byte for byte. */
export class RewriteCookies implements Transform<ResponseHead> {
  readonly #domain: Change | null
  readonly #path: Change | null
  readonly #secure: boolean | null
  /** null: as it is. */
  readonly #sameSite: string | false | null

  constructor ({ domain, path, secure, sameSite }: CookieOptions) {
    this.#domain = domain === undefined ? null : changeDomain(domain)
    this.#path = path === undefined ? null : changePath(path)
    this.#secure = secure ?? null
    this.#sameSite = sameSite === undefined ? null : sameSite === false ? false : sameSite[0]!.toUpperCase() + sameSite.slice(1)
  }

  apply ({ headers }: ResponseHead): void {
    const cookies = headers['set-cookie']
    if (cookies === undefined) return
    headers['set-cookie'] = Array.isArray(cookies) ? cookies.map((cookie) => this.#rewrite(cookie)) : this.#rewrite(cookies)
  }

  #rewrite (cookie: string): string {
    const [pair, ...attributes] = cookie.split(';')
    const name = pair!.trimStart().toLowerCase()
    // RFC 6265bis 4.1.3: what browsers ask of such a name, or else drop the cookie.
    const isHost = name.startsWith('__host-')
    const isSecure = isHost || name.startsWith('__secure-')
    let result = pair!
    for (const attribute of attributes) {
      const equals = attribute.indexOf('=')
      const key = (equals === -1 ? attribute : attribute.slice(0, equals)).trim().toLowerCase()
      const value = equals === -1 ? '' : attribute.slice(equals + 1).trim()
      let changed: string | false | null = null
      if (key === 'domain' && this.#domain !== null && !isHost) changed = this.#domain(value)
      else if (key === 'path' && this.#path !== null && !isHost) changed = this.#path(value)
      else if (key === 'secure' && (this.#secure === true || (this.#secure === false && !isSecure))) changed = false
      else if (key === 'samesite' && this.#sameSite !== null) changed = false
      if (changed === null) result += `;${attribute}`
      else if (changed !== false) result += `; ${key === 'path' ? 'Path' : 'Domain'}=${changed}`
    }
    if (this.#secure === true) result += '; Secure'
    if (typeof this.#sameSite === 'string') result += `; SameSite=${this.#sameSite}`
    return result
  }
}

function changeDomain (domain: NonNullable<CookieOptions['domain']>): Change {
  if (typeof domain !== 'object') return () => domain
  const known = new Map(Object.entries(domain).map(([from, to]) => [bareDomain(from), to]))
  return (value) => known.get(bareDomain(value)) ?? known.get('*') ?? null
}

/** A leading dot says nothing (RFC 6265 5.2.3). */
function bareDomain (domain: string): string {
  return domain.replace(/^\./, '').toLowerCase()
}

function changePath (path: NonNullable<CookieOptions['path']>): Change {
  if (typeof path !== 'object') return () => path
  const known = new Map(Object.entries(path))
  const prefixes = [...known]
    .map(([from, to]) => [bare(from), to === false ? false : bare(to)] as const)
    .sort(([a], [b]) => b.length - a.length)
  return (value) => {
    const whole = known.get(value)
    if (whole !== undefined) return whole
    for (const [from, to] of prefixes) {
      // `/a` has `/a` and `/a/b` under it, and not `/ab`.
      if (value !== from && !value.startsWith(`${from}/`)) continue
      return to === false ? false : (to + value.slice(from.length)) || '/'
    }
    return null
  }
}

/** Without slashes at its end, so that the rest of a path brings the only one. */
function bare (prefix: string): string {
  return prefix.replace(/\/+$/, '')
}
