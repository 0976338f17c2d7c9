import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyInstance, RouteOptions } from 'fastify'
import createRouter from 'find-my-way'
import { asRouted } from './path-policy.ts'
import { endOf, fold, type Matching, RoutePath, withoutSlashes } from './route-path.ts'
import { matchingOf, routerOptionsOf, urlsIn } from './router-options.ts'
import { normalAuthority, settledName } from './strictness.ts'

/** What carries the id of a proxied route on the options of its Fastify route. */
export const kRouteId: unique symbol = Symbol('sluice.route.id')

/** One Fastify route, as it was declared. */
export interface DeclaredRoute {
  readonly methods: readonly string[]
  readonly url: string
  readonly constraints: Readonly<Record<string, unknown>>
  /** null for a route of the app's own. */
  readonly id: string | null
  /** The options themselves: onRoute hooks of other plugins add to them later. null for a route that stood before the plugin. */
  readonly options: Readonly<Record<string, unknown>> | null
  readonly scope: FastifyInstance | null
  /** The same route with a slash behind it; null where Fastify declares none. */
  readonly slashed: string | null
  /** Paths that it alone stands for, as the router spells them. */
  readonly paths: readonly string[]
}

export interface Found {
  readonly route: DeclaredRoute
  readonly params: Record<string, string | undefined>
  readonly query: Record<string, unknown>
  /** See `restoreUrl` of arrival.ts. */
  readonly isShownOtherwise: boolean
}

/** A request as the router sees it. */
export interface Routed {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
}

type Router = ReturnType<typeof createRouter>

/**
 * Which route Fastify would take. Its router cannot be asked without the hooks of the route being run, so the same router is filled a
 * second time, with all routes that were declared since the plugin was registered, when somebody asks first.
 */
export class RouteLookup {
  readonly #declared: DeclaredRoute[] = []
  readonly #app: FastifyInstance
  readonly #matching: Matching
  #router: Router | null = null
  /** The same with the names of hosts in their normal form. */
  #normalRouter: Router | null = null
  #found: Pick<Found, 'route' | 'params' | 'query'> | null = null

  constructor (app: FastifyInstance) {
    this.#app = app
    this.#matching = matchingOf(app)
    const add = (scope: FastifyInstance, options: RouteOptions): void => { this.#add(scope, options) }
    app.addHook('onRoute', function noteRoute (options) { add(this, options) })
  }

  get declared (): readonly DeclaredRoute[] {
    return this.#declared
  }

  find (request: Routed): Found | null {
    this.#router ??= this.#fill((host) => host)
    return this.#ask(this.#router, request)
  }

  /** The route that would be taken if every host constraint were written, and every host were sent, in its normal form. */
  findNormal (request: Routed): Found | null {
    const host = authorityOf(request.headers)
    return host === undefined ? this.#askNormal(request) : this.#askNormal(request, normalAuthority(host))
  }

  /** The same, each with the host in a form that a constraint may ask for: without a default port, and with the port as it was sent. */
  * findNormals (request: Routed, host: string): Generator<Found> {
    for (const form of new Set([normalAuthority(host), settledName(host)])) {
      const found = this.#askNormal(request, form)
      if (found !== null) yield found
    }
  }

  #askNormal ({ method, url, headers }: Routed, host?: string): Found | null {
    this.#normalRouter ??= this.#fill(normalConstraint)
    return this.#ask(this.#normalRouter, { method, url, headers: host === undefined ? headers : { ...headers, host } })
  }

  #ask (router: Router, { method, url, headers }: Routed): Found | null {
    const received = url === '*' && method === 'OPTIONS' ? '/' : url.split('?', 1)[0]!
    const path = received.slice(0, endOf(received, this.#matching))
    const shown = asRouted(path)
    this.#found = null
    const target = shown + received.slice(path.length) + url.slice(received.length)
    router.lookup({ method, url: target, headers } as IncomingMessage, null as unknown as ServerResponse)
    const found = this.#found as Pick<Found, 'route' | 'params' | 'query'> | null
    const earlier = this.#findEarlier(method, this.#spelled(path))
    if (earlier !== null) return { route: earlier, params: {}, query: {}, isShownOtherwise: false }
    return found === null ? null : { ...found, isShownOtherwise: shown !== path }
  }

  /** Routes that stood before the plugin are found by their very path alone. */
  #findEarlier (method: string, path: string): DeclaredRoute | null {
    if (this.#declared.some(({ paths }) => paths.includes(path)) || !this.#app.hasRoute({ method: method as 'GET', url: path })) return null
    return { methods: [method], url: path, constraints: {}, id: null, options: null, scope: null, slashed: null, paths: [] }
  }

  #add (scope: FastifyInstance, options: RouteOptions & { [kRouteId]?: string, prefix?: string, routePath?: string }): void {
    const { method, url, constraints, prefix = '', routePath, prefixTrailingSlash } = options
    // Of a route at its scope's prefix Fastify does not tell a second time (test/contract/fastify-router.test.ts).
    const [, slashed = null] = routePath === '' ? urlsIn({ prefix }, '/', prefixTrailingSlash, this.#matching) : []
    const paths = [url, new RoutePath(url, this.#matching).shorter?.url, slashed]
      .filter((path) => typeof path === 'string')
      .map((path) => this.#spelled(path))
    this.#declared.push({
      methods: [method].flat(),
      url,
      constraints: (constraints ?? {}) as Record<string, unknown>,
      id: options[kRouteId] ?? null,
      options: options as unknown as Record<string, unknown>,
      scope,
      slashed,
      paths
    })
  }

  #spelled (path: string): string {
    return withoutSlashes(fold(path, this.#matching), this.#matching)
  }

  #fill (nameOf: (host: unknown) => unknown): Router {
    const options = routerOptionsOf(this.#app)
    const router = createRouter({
      ...Object.fromEntries(shared.filter((name) => options[name] !== undefined).map((name) => [name, options[name]])),
      defaultRoute: () => {}
    })
    for (const route of this.#declared) {
      for (const method of route.methods) this.#declare(router, method, route.url, route, nameOf)
    }
    // Last: the app may have declared it by itself.
    for (const route of this.#declared) {
      const { slashed, constraints } = route
      if (slashed === null || this.#declared.some(({ url }) => url === slashed)) continue
      for (const method of route.methods) {
        const isThere = this.#app.hasRoute({ method: method as 'GET', url: slashed, constraints })
        if (isThere) this.#declare(router, method, slashed, route, nameOf)
      }
    }
    return router
  }

  #declare (router: Router, method: string, url: string, route: DeclaredRoute, nameOf: (host: unknown) => unknown): void {
    const { host, ...others } = route.constraints
    const constraints = host === undefined ? others : { ...others, host: nameOf(host) }
    const take: Take = (_request, _response, params, _store, query) => {
      this.#found = { route, params: { ...params }, query: { ...query } }
    }
    if (!declare(router, method, url, constraints, take)) declare(router, method, url, {}, take)
  }
}

/** Patterns without regard to case, and without what makes one match depend on another. */
function normalConstraint (host: unknown): unknown {
  if (host instanceof RegExp) return new RegExp(host.source, host.flags.replace(/[giy]/g, '') + 'i')
  return typeof host === 'string' ? normalAuthority(host) : host
}

type Take = (request: unknown, response: unknown, params: Found['params'], store: unknown, query: Found['query']) => void

/** As Fastify's router reads it. */
export function authorityOf (headers: IncomingHttpHeaders): string | undefined {
  return headers.host ?? headers[':authority'] as string | undefined
}

/** @returns false where the router does not take it: a constraint of the app's own making, whose strategy Fastify keeps to itself */
function declare (router: Router, method: string, url: string, constraints: object, take: unknown): boolean {
  try {
    router.on(method as 'GET', url, { constraints }, take as unknown as Parameters<Router['on']>[3] & (() => void))
    return true
  } catch {
    return false
  }
}

/** Options that decide what matches, and what a query is. */
const shared = [
  'caseSensitive', 'ignoreTrailingSlash', 'ignoreDuplicateSlashes', 'maxParamLength', 'allowUnsafeRegex', 'useSemicolonDelimiter',
  'querystringParser'
]
