import { isDeepStrictEqual } from 'node:util'
import type { Canary, Route } from '../../types/model.ts'
import type { ProxyExchange } from '../model/exchange.ts'
import { guardingHooks } from './app-hooks.ts'
import { type DeclaredRoute, authorityOf, type RouteLookup } from './route-lookup.ts'
import { normalAuthority } from './strictness.ts'
import { Credentials } from './transform/credentials.ts'
import { proxyError } from '../errors.ts'

type Routes = ReadonlyMap<string, Route>

/**
 * Keeps a request from reaching, through one route, what another route guards: because its host is written otherwise than the constraint of that
 * route, or because the upstream reads its path otherwise than Fastify's router does.
 */
export class RouteGuards {
  readonly #lookup: RouteLookup
  readonly #routes: Routes
  readonly #byId = new Map<string, DeclaredRoute>()
  readonly #hasHosts: boolean
  /** Whether a constraint is written in a form that no client sends. */
  readonly #hasOddHosts: boolean
  #lastNormal = ''

  constructor (lookup: RouteLookup, routes: Routes) {
    this.#lookup = lookup
    this.#routes = routes
    for (const declared of lookup.declared) {
      if (declared.id !== null) this.#byId.set(declared.id, declared)
    }
    const hosts = lookup.declared.map(({ constraints }) => constraints['host']).filter((host) => host !== undefined)
    this.#hasHosts = hosts.length > 0
    this.#hasOddHosts = hosts.some((host) => host instanceof RegExp ? /[A-Z]/.test(host.source) : typeof host === 'string' && normalAuthority(host) !== host)
  }

  /**
   * @param hasTwoReadings whether the path has slashes that some reader merges or decodes
   * @throws ProxyError `misdirected_request` or `http_request_error`
   */
  check (exchange: ProxyExchange, hasTwoReadings: boolean): void {
    // reply.proxy comes from a handler of the app's, which its own route has guarded.
    if (!this.#byId.has(exchange.route.id)) return
    if (this.#hasHosts) this.#checkHost(exchange)
    if (hasTwoReadings && exchange.route.ambiguousPaths === 'reject') this.#checkReadings(exchange)
  }

  /**
   * A COPY or MOVE writes to the resource that Destination names, and no route of that resource is asked (RFC 4918 10.3).
   * @param path of this gateway
   * @throws ProxyError `http_request_denied` where another route guards it
   */
  checkNamed ({ request, route }: ProxyExchange, path: string): void {
    if (!this.#byId.has(route.id)) return
    const { method, raw: { headers } } = request
    const paths = route.ambiguousPaths === 'reject' ? [path, ...readingsOf(path)] : [path]
    for (const url of paths) {
      for (const as of [method, 'PUT']) {
        const found = this.#lookup.findNormal({ method: as, url, headers })
        // A route of the same url is another for its methods, not for its paths.
        if (found === null || this.#urlOf(found.route) === route.url || !this.#guardsMore(found.route, route)) continue
        const owner = found.route.id ?? found.route.url
        throw proxyError('http_request_denied', 'select', new Error(`Destination names ${url}, which is for the route '${owner}'`))
      }
    }
  }

  /** Of a proxied route as it was written: `/orders/*` stands for `/orders` as well. */
  #urlOf ({ id, url }: DeclaredRoute): string {
    return (id === null ? undefined : this.#routes.get(id)?.url) ?? url
  }

  /** A host constraint compares bytes; names of hosts know no case, may end in a dot, and may have their default port (RFC 9110 4.2.3). */
  #checkHost ({ request, route, path }: ProxyExchange): void {
    const { headers } = request.raw
    const host = authorityOf(headers)
    if (host === undefined || (!this.#hasOddHosts && this.#isNormal(host))) return
    for (const { route: other } of this.#lookup.findNormals({ method: request.method, url: path, headers }, host)) {
      if (other.id === route.id || other.constraints['host'] === undefined) continue
      throw proxyError('misdirected_request', 'select', new Error(`the host is that of the route '${other.id ?? other.url}' in another spelling`))
    }
  }

  /** Most requests name the same host. */
  #isNormal (host: string): boolean {
    if (host === this.#lastNormal) return true
    if (normalAuthority(host) !== host) return false
    this.#lastNormal = host
    return true
  }

  #checkReadings ({ request, route, path }: ProxyExchange): void {
    const { method, raw: { headers } } = request
    for (const url of readingsOf(path)) {
      const found = this.#lookup.findNormal({ method, url, headers })
      if (found === null || found.route.id === route.id) continue
      if (this.#guardsMore(found.route, route)) {
        throw proxyError('http_request_error', 'select', new Error(`an upstream may read the path as ${url}, which is for the route '${found.route.id ?? found.route.url}'; see ambiguousPaths`))
      }
    }
  }

  /** Whether the other route has something in the way of a request, or behind it, that this one has not. */
  #guardsMore (other: DeclaredRoute, route: Route): boolean {
    const own = this.#byId.get(route.id)
    // A handler of the app's own is what this route does not have.
    const otherRoute = other.id === null ? undefined : this.#routes.get(other.id)
    if (otherRoute === undefined || own === undefined) return true
    return hasMoreConstraints(other, own) || hasMoreUpstreams(otherRoute, route) || hasMoreHooks(other, own) || hasOtherCredentials(otherRoute, route)
  }
}

function hasMoreConstraints (other: DeclaredRoute, own: DeclaredRoute): boolean {
  return Object.entries(other.constraints).some(([name, value]) => !isDeepStrictEqual(own.constraints[name], value))
}

function hasMoreUpstreams (other: Route, own: Route): boolean {
  const known = new Set(upstreamsOf(own))
  return upstreamsOf(other).some((upstream) => !known.has(upstream))
}

function upstreamsOf ({ upstream, canaries }: Route): unknown[] {
  return [upstream, ...(canaries ?? []).map((canary: Canary) => canary.upstream)]
}

function hasMoreHooks (other: DeclaredRoute, own: DeclaredRoute): boolean {
  const hooks = guardingHooks(other.scope!, other.options!)
  const known = guardingHooks(own.scope!, own.options!)
  return hooks === null || known === null || [...hooks].some((hook) => !known.has(hook))
}

/** Names that only the other route's clients cannot forge. */
function hasOtherCredentials (other: Route, own: Route): boolean {
  return hasCredentials(other) && !hasCredentials(own)
}

function hasCredentials ({ requestTransforms }: Route): boolean {
  return requestTransforms.some((transform) => transform instanceof Credentials)
}

/**
 * The paths that a reader may see in one: with encoded slashes and backslashes decoded, with empty segments merged, with matrix parameters cut off
 * (as Tomcat and Spring do), and with all of these.
 */
export function readingsOf (path: string): Set<string> {
  const readings = new Set<string>()
  for (const start of [path, path.replaceAll(matrix, '')]) {
    const decoded = start.replaceAll(encodedSlash, '/')
    for (const reading of [start, decoded]) {
      readings.add(reading)
      readings.add(reading.replaceAll(/\/{2,}/g, '/'))
    }
  }
  readings.delete(path)
  return readings
}

const encodedSlash = /%(?:2f|5c)/gi
const matrix = /;[^/]*?(?=\/|%2f|%5c|$)/gi
