import type { FastifyRequest } from 'fastify'
import type { PathRewrite } from '../../types/model.ts'
import type { ProxyExchange } from '../model/exchange.ts'
import { checkString, named } from '../model/option-result.ts'

/** Fastify's router options that decide which paths match a url; the same for all routes of an app. */
export interface Matching {
  readonly caseSensitive: boolean
  readonly ignoreDuplicateSlashes: boolean
  readonly ignoreTrailingSlash: boolean
  /** True where a `;` ends the path as a `?` does. */
  readonly useSemicolonDelimiter: boolean
}

/** Fastify's defaults. */
export const strictly: Matching = Object.freeze({
  caseSensitive: true,
  ignoreDuplicateSlashes: false,
  ignoreTrailingSlash: false,
  useSemicolonDelimiter: false
})

const SLASH = 0x2f

/** A url or a path with the slashes that count for the app's router: first those in a row, then that at the end; '/' stays. */
export function withoutSlashes (path: string, { ignoreDuplicateSlashes, ignoreTrailingSlash }: Matching): string {
  const merged = ignoreDuplicateSlashes ? path.replaceAll(/\/{2,}/g, '/') : path
  return ignoreTrailingSlash && merged.length > 1 && merged.endsWith('/') ? merged.slice(0, -1) : merged
}

/** A path, or a part of a url, in one spelling for all that the app's router holds to be the same; the slash at its end stays. */
export function fold (path: string, matching: Matching): string {
  const merged = withoutSlashes(path, matching.ignoreTrailingSlash ? { ...matching, ignoreTrailingSlash: false } : matching)
  return matching.caseSensitive ? merged : merged.toLowerCase()
}

/** The end of a path to the router: its length, or the first `;` where that is a delimiter. */
export function endOf (path: string, { useSemicolonDelimiter }: Matching): number {
  const semicolon = useSemicolonDelimiter ? path.indexOf(';', 1) : -1
  return semicolon === -1 ? path.length : semicolon
}

/**
 * Walks a raw path along a Fastify url. Fastify decodes before it matches, so `/%61pi/x` finds the route of `/api/*`; what
 * matched only after decoding is not the path that the route's author wrote, and is refused (CVE-2026-16117). Cases and slashes
 * count for as much as they do to the app's router.
 */
export class RoutePath {
  /** As the router keeps it. */
  readonly url: string
  /** The same url without its optional last parameter; null where it has none. */
  readonly shorter: RoutePath | null
  readonly #matching: Matching
  /** Of each segment: what has to stand there, or null for a parameter. Of the last, what stands before its wildcard. */
  readonly #literals: readonly (string | null)[]
  readonly #hasWildcard: boolean
  /** '/orders/*' stands for '/orders' as well. */
  readonly #mayEndEarly: boolean

  constructor (url: string, matching: Matching = strictly) {
    // Fastify lets a route that takes everything be written without its slash.
    this.url = url === '*' ? '/*' : withoutSlashes(url, matching)
    this.#matching = matching
    const optional = /^(.*)\/:[^/()]*\?(\/?)$/.exec(this.url)
    this.shorter = optional === null ? null : new RoutePath(`${optional[1]}${optional[2]}` || '/', matching)
    const segments = segmentsOf(this.url)
    this.#hasWildcard = this.url.endsWith('*')
    this.#mayEndEarly = segments.at(-1) === '*'
    if (this.#hasWildcard) segments.push(segments.pop()!.slice(0, -1))
    this.#literals = segments.map((segment, index) => {
      const isLast = this.#hasWildcard && index === segments.length - 1
      const literal = isLast ? segment : literalOf(segment)
      return literal === null || matching.caseSensitive ? literal : literal.toLowerCase()
    })
  }

  /**
   * The place where the wildcard's part of a path begins, that where the path ends (see `endOf`) if there is no wildcard,
   * or -1 when the path is not of this url. The wildcard part begins after the first slash before it, if there is one.
   */
  match (path: string): number {
    const begin = this.#walk(path, endOf(path, this.#matching))
    return begin === -1 && this.shorter !== null ? this.shorter.match(path) : begin
  }

  /** The end of a path that `match` has found to be of this url. */
  endOf (path: string): number {
    return endOf(path, this.#matching)
  }

  #walk (path: string, end: number): number {
    let position = 0
    const last = this.#literals.length - 1
    for (let index = 0; index <= last; index++) {
      const literal = this.#literals[index]!
      if (position === end || path.charCodeAt(position) !== SLASH) {
        return index === last && this.#mayEndEarly && position === end ? position : -1
      }
      position++
      if (this.#hasWildcard && index === last) return literal === '' ? position : this.#passLiteral(path, position, end, literal!)
      position = this.#passSlashes(path, position)
      let segmentEnd = path.indexOf('/', position)
      if (segmentEnd === -1 || segmentEnd > end) segmentEnd = end
      if (literal !== null && !this.#is(literal, path, position, segmentEnd)) return -1
      position = segmentEnd
    }
    if (position === end) return end
    // One slash more is there of a route at its scope's prefix, and with `ignoreTrailingSlash`; it is forwarded as it came.
    return path.charCodeAt(position) === SLASH && this.#passSlashes(path, position + 1) === end ? end : -1
  }

  #passLiteral (path: string, position: number, end: number, literal: string): number {
    const begin = this.#passSlashes(path, position)
    const after = begin + literal.length
    return after <= end && this.#is(literal, path, begin, after) ? after : -1
  }

  /** Over the slashes that count for one with that before them. */
  #passSlashes (path: string, position: number): number {
    if (this.#matching.ignoreDuplicateSlashes) while (path.charCodeAt(position) === SLASH) position++
    return position
  }

  #is (literal: string, path: string, begin: number, end: number): boolean {
    if (end - begin !== literal.length) return false
    return this.#matching.caseSensitive ? path.startsWith(literal, begin) : path.slice(begin, end).toLowerCase() === literal
  }
}

/** A slash in the pattern of a parameter (`:file(^[a-z]/?$)`) begins no segment. */
function segmentsOf (url: string): string[] {
  const segments: string[] = []
  let depth = 0
  for (let index = 0; index < url.length; index++) {
    const char = url[index]!
    if (char === '/' && depth === 0) {
      segments.push('')
      continue
    }
    if (char === '\\' && depth > 0) segments.push(segments.pop()! + char + (url[++index] ?? ''))
    else segments.push(segments.pop()! + char)
    if (char === '(') depth++
    else if (char === ')') depth--
  }
  return segments
}

/** The text of a segment without parameters; '::' is how find-my-way writes a colon that begins no parameter. */
function literalOf (segment: string): string | null {
  return segment.replaceAll('::', '').includes(':') ? null : segment.replaceAll('::', ':')
}

/** Sends the path as it was received. */
export class SamePath implements PathRewrite {
  readonly #shape: RoutePath

  constructor (url: string, matching?: Matching) {
    this.#shape = new RoutePath(url, matching)
  }

  rewrite (path: string): string | null {
    return this.#shape.match(path) === -1 ? null : path
  }
}

/**
 * Replaces the mounted prefix, as the table of d4 has it (Gateway API ReplacePrefixMatch): by concatenation, without doubling
 * the slash, and what is left is never empty.
 */
export class ReplacePrefix implements PathRewrite {
  /** A prefix may have parameters, like all of Fastify's. */
  readonly #shape: RoutePath
  readonly #replacement: string

  constructor (prefix: string, replacement: string, matching?: Matching) {
    this.#shape = new RoutePath(`${prefix.replace(/\/$/, '')}/*`, matching)
    this.#replacement = replacement
  }

  rewrite (path: string): string | null {
    const begin = this.#shape.match(path)
    if (begin === -1) return null
    // Without the slash that the wildcard follows, the path is the prefix itself.
    if (path.charCodeAt(begin - 1) !== SLASH) return (this.#replacement === '' ? '/' : this.#replacement) + path.slice(begin)
    const rest = path.slice(begin - 1)
    return this.#replacement.endsWith('/') ? this.#replacement.slice(0, -1) + rest : this.#replacement + rest
  }
}

/** `/v2/users/:id`, `/v2/*`: parameters are put in percent-encoded again, so that none can bring a slash; the wildcard is raw. */
export class PathTemplate implements PathRewrite {
  readonly #shape: RoutePath
  /** Literal, parameter, literal, parameter, …, literal. */
  readonly #parts: readonly string[]
  readonly #hasWildcard: boolean

  constructor (url: string, template: string, matching?: Matching) {
    this.#shape = new RoutePath(url, matching)
    this.#hasWildcard = template.endsWith('*')
    this.#parts = (this.#hasWildcard ? template.slice(0, -1) : template).split(/:([A-Za-z0-9_]+)/)
  }

  rewrite (path: string, request: FastifyRequest): string | null {
    const rest = this.#shape.match(path)
    if (rest === -1) return null
    // Bytes that are no UTF-8 would come out of a parameter as others.
    if (this.#parts.length > 1 && (request.proxy as ProxyExchange | null)?.isShownOtherwise === true) return null
    const params = request.params as Record<string, string | undefined>
    let result = this.#parts[0]!
    for (let index = 1; index < this.#parts.length; index += 2) {
      result += encodeURIComponent(params[this.#parts[index]!] ?? '') + this.#parts[index + 1]!
    }
    // Behind a `;` that ends the path there is what a query would be, and kept like one.
    return result + path.slice(this.#hasWildcard ? rest : this.#shape.endOf(path))
  }

  /** The parameters that a template needs. */
  static parameters (template: string): string[] {
    return Array.from(template.matchAll(/:([A-Za-z0-9_]+)/g), (match) => match[1]!)
  }
}

/** Whatever the user's function says; held to the path policy afterwards like every other path. */
export class PathFunction implements PathRewrite {
  readonly #shape: RoutePath
  readonly #rewrite: (request: FastifyRequest) => string

  constructor (url: string, rewrite: (request: FastifyRequest) => string, matching?: Matching) {
    this.#shape = new RoutePath(url, matching)
    this.#rewrite = named('rewrite', 'select', rewrite)
  }

  rewrite (path: string, request: FastifyRequest): string | null {
    if (this.#shape.match(path) === -1) return null
    const result = checkString('rewrite', this.#rewrite(request))
    const end = this.#shape.endOf(path)
    // Parameters behind a `;` are kept as a query is, unless the function brings some of its own.
    return end === path.length || /[;?]/.test(result) ? result : result + path.slice(end)
  }
}

/** Whatever path there is: for `reply.proxy`, which no url stands before. */
export class AnyPath implements PathRewrite {
  rewrite (path: string): string {
    return path
  }
}
