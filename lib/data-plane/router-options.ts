import type { FastifyInstance } from 'fastify'
import { symbolIn } from './fastify-symbols.ts'
import type { Matching } from './route-path.ts'

/**
 * The options of the app's router. `initialConfig` gives those that were written beside `routerOptions`, and those in it with every default
 * filled in: where an app has some here and some there, it does not tell which hold. Fastify's own copy does
 * (test/contract/fastify-router.test.ts). Versions before 5.5 have no `routerOptions`.
 */
export function routerOptionsOf (app: FastifyInstance): Record<string, unknown> {
  const place = symbolIn(rootOf(app), 'fastify.options')
  const options = (place === undefined ? app.initialConfig : (app as unknown as Record<symbol, unknown>)[place]) as Record<string, unknown>
  return { ...options, ...options['routerOptions'] as object | undefined }
}

/** Which of them decide what matches. */
export function matchingOf (app: FastifyInstance): Matching {
  const options = routerOptionsOf(app)
  return Object.freeze({
    caseSensitive: options['caseSensitive'] !== false,
    ignoreDuplicateSlashes: Boolean(options['ignoreDuplicateSlashes']),
    ignoreTrailingSlash: Boolean(options['ignoreTrailingSlash']),
    useSemicolonDelimiter: Boolean(options['useSemicolonDelimiter'])
  })
}

/**
 * The urls under which Fastify declares a route in a scope; by the first it is known. It joins prefix and url with one slash, and
 * declares '/' both with a slash and without one (test/contract/fastify-router.test.ts).
 * @param trailing the route's `prefixTrailingSlash`
 */
export function urlsIn (
  { prefix }: Pick<FastifyInstance, 'prefix'>, url: string, trailing: unknown, matching: Matching
): [string, ...string[]] {
  if (url !== '/' || prefix === '') return [url.startsWith('/') && prefix.endsWith('/') ? prefix + url.slice(1) : prefix + url]
  if (trailing === 'slash') return [`${prefix}/`]
  const isOne = trailing === 'no-slash' || matching.ignoreTrailingSlash || (matching.ignoreDuplicateSlashes && prefix.endsWith('/'))
  return isOne ? [prefix] : [prefix, `${prefix}/`]
}

/** The app that every scope inherits from, by way of its prototype. */
export function rootOf (app: FastifyInstance): FastifyInstance {
  let root = app
  while (!Object.hasOwn(root, 'addHttpMethod')) root = Object.getPrototypeOf(root) as FastifyInstance
  return root
}

/**
 * Tells of methods that the app adds from now on. Fastify has no event for that, and a route for all methods has been declared for those
 * that there were. Once the app boots a route would be declared without its hooks.
 */
export function watchMethods (app: FastifyInstance, added: (method: string, isTooLate: boolean) => void): void {
  const root = rootOf(app)
  const add = root.addHttpMethod
  root.addHttpMethod = function addHttpMethod (this: FastifyInstance, method, options) {
    const isNew = !this.supportedMethods.includes(method)
    add.call(this, method, options)
    if (isNew) added(method, isBooting(root))
    return this
  }
}

function isBooting (root: FastifyInstance): boolean {
  const place = symbolIn(root, 'fastify.state')
  const state = place === undefined ? {} : (root as unknown as Record<symbol, { booting?: boolean, started?: boolean }>)[place]!
  return state.booting === true || state.started === true
}
