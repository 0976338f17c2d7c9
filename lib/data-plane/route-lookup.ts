import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyInstance, RouteOptions } from 'fastify'
import createRouter from 'find-my-way'
import { asRouted } from './path-policy.ts'
import { normalAuthority } from './strictness.ts'

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
}

export interface Found {
  readonly route: DeclaredRoute
  readonly params: Record<string, string | undefined>
}

/** What the router looks at. */
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
  #router: Router | null = null
  /** The same with the names of hosts in their normal form. */
  #normalRouter: Router | null = null
  #found: Found | null = null

  constructor (app: FastifyInstance) {
    this.#app = app
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
    this.#normalRouter ??= this.#fill((host) => typeof host === 'string' ? normalAuthority(host) : host)
    const host = authorityOf(request.headers)
    return this.#ask(this.#normalRouter, host === undefined ? request : { method: request.method, url: request.url, headers: { ...request.headers, host: normalAuthority(host) } })
  }

  #ask (router: Router, request: Routed): Found | null {
    // What stood before the plugin is seen by its very path alone.
    const path = request.url.split('?', 1)[0]!
    this.#found = null
    const { method, headers } = request
    router.lookup({ method, url: asRouted(path), headers } as IncomingMessage, null as unknown as ServerResponse)
    const found = this.#found as Found | null
    const isEarlier = !this.#declared.some(({ url }) => url === path) && this.#app.hasRoute({ method: request.method as 'GET', url: path })
    return isEarlier ? { route: { methods: [request.method], url: path, constraints: {}, id: null, options: null, scope: null }, params: {} } : found
  }

  #add (scope: FastifyInstance, options: RouteOptions): void {
    const { method, url, constraints } = options
    this.#declared.push({
      methods: [method].flat(),
      url,
      constraints: (constraints ?? {}) as Record<string, unknown>,
      id: (options as RouteOptions & { [kRouteId]?: string })[kRouteId] ?? null,
      options: options as unknown as Record<string, unknown>,
      scope
    })
  }

  #fill (nameOf: (host: unknown) => unknown): Router {
    const config = this.#app.initialConfig as Record<string, unknown>
    // Fastify before 5.5 has them beside the others.
    const options = (config['routerOptions'] ?? config) as Record<string, unknown>
    const router = createRouter({
      ...Object.fromEntries(shared.filter((name) => options[name] !== undefined).map((name) => [name, options[name]])),
      defaultRoute: () => {}
    })
    for (const route of this.#declared) {
      const { host, ...others } = route.constraints
      const constraints = host === undefined ? others : { ...others, host: nameOf(host) }
      for (const method of route.methods) {
        const take = (_request: unknown, _response: unknown, params: Found['params']): void => { this.#found = { route, params: { ...params } } }
        if (!declare(router, method, route.url, constraints, take)) declare(router, method, route.url, {}, take)
      }
    }
    return router
  }
}

/** As Fastify's router reads it. */
export function authorityOf (headers: IncomingHttpHeaders): string | undefined {
  return headers.host ?? headers[':authority'] as string | undefined
}

/** @returns false where the router does not take it: a constraint of the app's own making, whose strategy Fastify keeps to itself */
function declare (router: Router, method: string, url: string, constraints: object, take: unknown): boolean {
  try {
    router.on(method as 'GET', url, { constraints }, take as Parameters<Router['on']>[3] & (() => void))
    return true
  } catch {
    return false
  }
}

/** Options that decide what matches. */
const shared = ['caseSensitive', 'ignoreTrailingSlash', 'ignoreDuplicateSlashes', 'maxParamLength', 'allowUnsafeRegex', 'useSemicolonDelimiter']
