import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyInstance, RouteOptions } from 'fastify'
import createRouter from 'find-my-way'
import { readableFor } from './arrival.ts'
import { endOf, fold, type Matching, RoutePath, withoutSlashes } from './route-path.ts'
import { matchingOf, routerOptionsOf, urlsIn } from './router-options.ts'

/** What carries the id of a proxied route on the options of its Fastify route. */
export const kRouteId: unique symbol = Symbol('sluice.route.id')

interface Seen {
  readonly methods: string[]
  readonly url: string
  readonly constraints: Record<string, unknown>
  /** null for a route of the app's own. */
  readonly id: string | null
  /** The same route with a slash behind it; null where Fastify declares none. */
  readonly slashed: string | null
  /** Paths that it alone stands for, as the router spells them. */
  readonly paths: readonly string[]
}

export interface Found {
  readonly url: string
  readonly id: string | null
  readonly params: Record<string, string | undefined>
  readonly query: Record<string, unknown>
  /** See `restoreUrl` of arrival.ts. */
  readonly isShownOtherwise: boolean
}

type Router = ReturnType<typeof createRouter>

/**
 * Which route Fastify would take. Its router cannot be asked without the hooks of the route being run, so the same router is filled a
 * second time, with all routes that were declared since the plugin was registered, when somebody asks first.
 */
export class RouteLookup {
  readonly #seen: Seen[] = []
  readonly #app: FastifyInstance
  readonly #matching: Matching
  #router: Router | null = null
  #readable: ReturnType<typeof readableFor> | null = null
  #found: Omit<Found, 'isShownOtherwise'> | null = null

  constructor (app: FastifyInstance) {
    this.#app = app
    this.#matching = matchingOf(app)
    app.addHook('onRoute', (options) => { this.#add(options) })
  }

  find (raw: IncomingMessage): Found | null {
    this.#router ??= this.#fill()
    this.#found = null
    const target = raw.url!
    raw.url = this.#readable!(target, raw.method!)
    const isShownOtherwise = raw.url !== target
    this.#router.lookup(raw, null as unknown as ServerResponse)
    raw.url = target
    const found = this.#found as Omit<Found, 'isShownOtherwise'> | null
    // What stood before the plugin is seen by its very path alone.
    const received = target.split('?', 1)[0]!
    const path = spelled(received.slice(0, endOf(received, this.#matching)), this.#matching)
    const isSeen = this.#seen.some(({ paths }) => paths.includes(path))
    const isEarlier = !isSeen && this.#app.hasRoute({ method: raw.method as 'GET', url: path })
    if (isEarlier) return { url: path, id: null, params: {}, query: {}, isShownOtherwise }
    return found === null ? null : { ...found, isShownOtherwise }
  }

  #add (options: RouteOptions & { [kRouteId]?: string, prefix?: string, routePath?: string }): void {
    const { method, url, constraints, prefix = '', routePath, prefixTrailingSlash } = options
    const id = options[kRouteId] ?? null
    // Of a route at its scope's prefix Fastify does not tell a second time (test/contract/fastify-router.test.ts).
    const [, slashed = null] = routePath === '' ? urlsIn({ prefix }, '/', prefixTrailingSlash, this.#matching) : []
    const paths = [url, new RoutePath(url, this.#matching).shorter?.url, slashed]
      .filter((path) => typeof path === 'string')
      .map((path) => spelled(path, this.#matching))
    this.#seen.push({ methods: [method].flat(), url, constraints: (constraints ?? {}) as Record<string, unknown>, id, slashed, paths })
  }

  #fill (): Router {
    const options = routerOptionsOf(this.#app)
    const router = createRouter({
      ...Object.fromEntries(shared.filter((name) => options[name] !== undefined).map((name) => [name, options[name]])),
      defaultRoute: () => {}
    })
    this.#readable = readableFor(this.#seen.filter(({ id }) => id !== null).map(({ url }) => url), this.#matching)
    for (const seen of this.#seen) {
      for (const method of seen.methods) this.#declare(router, method, seen.url, seen)
    }
    // Last: the app may have declared it by itself.
    for (const seen of this.#seen) {
      if (seen.slashed === null || this.#seen.some(({ url }) => url === seen.slashed)) continue
      const { slashed: url, constraints } = seen
      for (const method of seen.methods) {
        if (this.#app.hasRoute({ method: method as 'GET', url, constraints })) this.#declare(router, method, url, seen)
      }
    }
    return router
  }

  #declare (router: Router, method: string, declaredUrl: string, { url, id, constraints }: Seen): void {
    const take: Take = (_request, _response, params, _store, query) => {
      this.#found = { url, id, params: { ...params }, query: { ...query } }
    }
    if (!declare(router, method, declaredUrl, constraints, take)) declare(router, method, declaredUrl, {}, take)
  }
}

type Take = (request: unknown, response: unknown, params: Found['params'], store: unknown, query: Found['query']) => void

function spelled (path: string, matching: Matching): string {
  return withoutSlashes(fold(path, matching), matching)
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
  'caseSensitive', 'ignoreTrailingSlash', 'ignoreDuplicateSlashes', 'maxParamLength', 'allowUnsafeRegex', 'useSemicolonDelimiter', 'querystringParser'
]
