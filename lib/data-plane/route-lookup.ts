import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyInstance, RouteOptions } from 'fastify'
import createRouter from 'find-my-way'

/** What carries the id of a proxied route on the options of its Fastify route. */
export const kRouteId: unique symbol = Symbol('sluice.route.id')

interface Seen {
  readonly methods: string[]
  readonly url: string
  readonly constraints: Record<string, unknown>
  /** null for a route of the app's own. */
  readonly id: string | null
}

export interface Found {
  readonly url: string
  readonly id: string | null
  readonly params: Record<string, string | undefined>
}

type Router = ReturnType<typeof createRouter>

/**
 * Which route Fastify would take. Its router cannot be asked without the hooks of the route being run, so the same router is filled a
 * second time, with all routes that were declared since the plugin was registered, when somebody asks first.
 */
export class RouteLookup {
  readonly #seen: Seen[] = []
  readonly #app: FastifyInstance
  #router: Router | null = null
  #found: Found | null = null

  constructor (app: FastifyInstance) {
    this.#app = app
    app.addHook('onRoute', (options) => { this.#add(options) })
  }

  find (raw: IncomingMessage): Found | null {
    this.#router ??= this.#fill()
    this.#found = null
    this.#router.lookup(raw, null as unknown as ServerResponse)
    const found = this.#found as Found | null
    // What stood before the plugin is seen by its very path alone.
    const path = raw.url!.split('?', 1)[0]!
    const isEarlier = !this.#seen.some(({ url }) => url === path) && this.#app.hasRoute({ method: raw.method as 'GET', url: path })
    return isEarlier ? { url: path, id: null, params: {} } : found
  }

  #add (options: RouteOptions): void {
    const { method, url, constraints } = options
    const id = (options as RouteOptions & { [kRouteId]?: string })[kRouteId] ?? null
    this.#seen.push({ methods: [method].flat(), url, constraints: (constraints ?? {}) as Record<string, unknown>, id })
  }

  #fill (): Router {
    const config = this.#app.initialConfig as Record<string, unknown>
    // Fastify before 5.5 has them beside the others.
    const options = (config['routerOptions'] ?? config) as Record<string, unknown>
    const router = createRouter({
      ...Object.fromEntries(shared.filter((name) => options[name] !== undefined).map((name) => [name, options[name]])),
      defaultRoute: () => {}
    })
    for (const { methods, url, constraints, id } of this.#seen) {
      for (const method of methods) {
        const take = (_request: unknown, _response: unknown, params: Found['params']): void => { this.#found = { url, id, params: { ...params } } }
        if (!declare(router, method, url, constraints, take)) declare(router, method, url, {}, take)
      }
    }
    return router
  }
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
