import type { FastifyRequest } from 'fastify'
import type { PathRewrite } from '../../types/model.ts'
import type { ProxyExchange } from '../model/exchange.ts'
import { checkString } from '../model/option-result.ts'

/**
 * Walks a raw path along a Fastify url. Fastify decodes before it matches, so `/%61pi/x` finds the route of `/api/*`; what
 * matched only after decoding, folding or merging is not the path that the route's author wrote, and is refused
 * (CVE-2026-16117).
 */
export class RoutePath {
  readonly #segments: readonly string[]
  readonly #hasWildcard: boolean

  constructor (url: string) {
    // Fastify lets a route that takes everything be written without its slash.
    this.#segments = (url === '*' ? '/*' : url).split('/').slice(1)
    this.#hasWildcard = url.endsWith('*')
  }

  /**
   * Where the wildcard's part of a path begins, its length where there is none, or -1 when the path is not of this url.
   * The wildcard part begins after the slash before it, if there is one.
   */
  match (path: string): number {
    let position = 0
    const last = this.#segments.length - 1
    for (let index = 0; index <= last; index++) {
      const segment = this.#segments[index]!
      if (path.charCodeAt(position) !== 0x2f) {
        // '/orders/*' stands for '/orders' as well, and an optional last parameter may be missing with its slash.
        const mayBeMissing = index === last && (segment === '*' || segment.endsWith('?'))
        return mayBeMissing && position === path.length ? position : -1
      }
      position++
      if (this.#hasWildcard && index === last) {
        const literal = segment.slice(0, -1)
        return path.startsWith(literal, position) ? position + literal.length : -1
      }
      let end = path.indexOf('/', position)
      if (end === -1) end = path.length
      const isParameter = segment.includes(':')
      // '::' is how find-my-way writes a colon that begins no parameter.
      if (!isParameter || segment.replaceAll('::', '').indexOf(':') === -1) {
        if (path.slice(position, end) !== segment.replaceAll('::', ':')) return -1
      }
      position = end
    }
    // A trailing slash more is what `ignoreTrailingSlash` of the app's router lets through; it is forwarded as it came.
    return position === path.length || path.slice(position) === '/' ? path.length : -1
  }
}

/** Sends the path as it was received. */
export class SamePath implements PathRewrite {
  readonly #shape: RoutePath

  constructor (url: string) {
    this.#shape = new RoutePath(url)
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

  constructor (prefix: string, replacement: string) {
    this.#shape = new RoutePath(`${prefix.replace(/\/$/, '')}/*`)
    this.#replacement = replacement
  }

  rewrite (path: string): string | null {
    const begin = this.#shape.match(path)
    if (begin === -1) return null
    // Without the slash that the wildcard follows, the path is the prefix itself.
    if (path.charCodeAt(begin - 1) !== 0x2f) return this.#replacement === '' ? '/' : this.#replacement
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

  constructor (url: string, template: string) {
    this.#shape = new RoutePath(url)
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
    return this.#hasWildcard ? result + path.slice(rest) : result
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

  constructor (url: string, rewrite: (request: FastifyRequest) => string) {
    this.#shape = new RoutePath(url)
    this.#rewrite = rewrite
  }

  rewrite (path: string, request: FastifyRequest): string | null {
    return this.#shape.match(path) === -1 ? null : checkString('rewrite', this.#rewrite(request))
  }
}

/** Whatever path there is: for `reply.proxy`, which no url stands before. */
export class AnyPath implements PathRewrite {
  rewrite (path: string): string {
    return path
  }
}
