import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestHookHandler, onResponseHookHandler, onSendHookHandler, preHandlerHookHandler, RouteOptions as FastifyRouteOptions } from 'fastify'
import { ProxyExchange } from '../model/exchange.ts'
import { isOptionFault } from '../model/option-result.ts'
import { hasEarlierHooks, hasSendHooks, ownHook, ownSendHook } from './app-hooks.ts'
import { editLocalHead } from './local-edits.ts'
import { forwardExchange, openExchange } from './entry.ts'
import { kRouteId } from './route-lookup.ts'
import { isSilent, traceLoggerFactory } from './request-log.ts'
import { reportUnopened } from './unopened.ts'
import { upgradeHook, type UpgradeGate } from './upgrade/entry.ts'

/** What a declared route is to Fastify. */
export interface Declaration {
  readonly id: string
  /** As its scope is given it. */
  readonly url: string
  /** See `urlsIn`. */
  readonly urls: readonly string[]
  /** null: every method. */
  readonly methods: readonly string[] | null
  /** `/orders` of `/orders/*`: for the methods that nobody else has taken. */
  readonly isShort: boolean
  readonly trace: 'participate' | 'passthrough' | 'restart' | false
  readonly hasTrust: boolean
  /** Whether responses that no upstream made are edited too. */
  readonly hasLocalEdits: boolean
  readonly hasWebSocket: boolean
  /** Fastify's own route options, as the user wrote them. */
  readonly options: Readonly<Record<string, unknown>>
}

type Hooks<T> = T | T[] | undefined

/** Declares one Fastify route. Everything that is decided here costs no request anything. */
export function declareFastifyRoute (scope: FastifyInstance, gate: UpgradeGate, declaration: Declaration): void {
  const { id, options } = declaration
  const methods = methodsOf(scope, declaration)
  if (methods.length === 0) return

  /** null until the first request: before that there is nobody to ask. */
  let isSeen: boolean | null = null

  function open (request: FastifyRequest, reply: FastifyReply, done: () => void): void {
    if (!openExchange(gate, gate.snapshot!.routes.get(id)!, request, reply)) return
    isSeen ??= hasSendHooks(request);
    (request.proxy as ProxyExchange).hasSendHooks = isSeen
    done()
  }

  function handle (request: FastifyRequest): void {
    forwardExchange(gate, request.proxy as ProxyExchange)
  }

  /** The plugin's own onSend: what `when` promises for responses that no upstream made, errors and refusals of hooks among them. */
  const editLocalResponse: onSendHookHandler = function (request, reply, payload, done) {
    // A hook of the app answers before the exchange is opened; the edits need one for its request alone.
    const exchange = (request.proxy ?? new ProxyExchange(request, reply, gate.snapshot!.routes.get(id)!, gate.tools.now())) as ProxyExchange
    try {
      if (!exchange.isProxied) editLocalHead(exchange, reply)
    } catch (error) {
      // An edit of the user's; the answer to an error thrown from here would come by here again. The access line tells of an upstream's
      // answer that failed over it.
      if (!isOptionFault(exchange.error)) request.log.error({ err: error }, 'response edits')
    }
    done(null, payload)
  }

  /** Where a hook of the app's, ahead of ours, has answered: observers are to hear of that exchange too. */
  const report: onResponseHookHandler = function (request, reply, done) {
    if (request.proxy === null) reportUnopened(gate, gate.snapshot!.routes.get(id)!, request, reply)
    done()
  }

  const route: Record<string, unknown> = {
    // Not the user's to describe twice: what an upstream offers is in no schema of ours.
    schema: { hide: true },
    ...options,
    url: declaration.url,
    [kRouteId]: id,
    method: methods,
    // HEAD is forwarded like the others; Fastify's own would answer it from a GET.
    exposeHeadRoute: false,
    // First of the route's hooks: auth's log lines carry the trace.
    onRequest: [ownHook(open as onRequestHookHandler), ...[(options['onRequest'] as Hooks<onRequestHookHandler>) ?? []].flat()],
    handler: handle
  }
  if (hasEarlierHooks(scope)) {
    route['onResponse'] = [ownHook(report), ...[(options['onResponse'] as Hooks<onResponseHookHandler>) ?? []].flat()]
  }
  if (declaration.hasLocalEdits) {
    route['onSend'] = [ownHook(ownSendHook(editLocalResponse)), ...[(options['onSend'] as Hooks<onSendHookHandler>) ?? []].flat()]
  }
  if (declaration.hasWebSocket) {
    route['preHandler'] = [...[(options['preHandler'] as Hooks<preHandlerHookHandler>) ?? []].flat(), ownHook(upgradeHook(gate))]
  }
  if (!isSilent(scope.log)) {
    const inner = (options['childLoggerFactory'] ?? scope.childLoggerFactory) as FastifyInstance['childLoggerFactory']
    route['childLoggerFactory'] = traceLoggerFactory(gate.forwarder, declaration.trace === false || declaration.hasTrust ? null : declaration.trace, inner)
  }
  scope.route(route as unknown as FastifyRouteOptions)
}

/**
 * A GET brings its HEAD along, as everywhere in Fastify. Of all methods, OPTIONS is left out where another route has taken it:
 * @fastify/cors answers `OPTIONS *` itself, which Fastify's router holds to be the same as ours. TRACE is left out in any case: its answer
 * shows what an upstream is sent (RFC 9110 9.3.8), which only a route that names it can want.
 */
function methodsOf (scope: FastifyInstance, { methods, urls, isShort, options }: Declaration): string[] {
  const { constraints = {} } = options as { constraints?: Record<string, unknown> }
  const isFree = (method: string): boolean => {
    return !urls.some((url) => scope.hasRoute({ method, url, constraints } as Parameters<FastifyInstance['hasRoute']>[0]))
  }
  const wanted = methods ?? scope.supportedMethods.filter((method) => method !== 'TRACE' && (method !== 'OPTIONS' || isFree(method)))
  const wantsHead = wanted.includes('GET') && !wanted.includes('HEAD') && options['exposeHeadRoute'] !== false
  const all = wantsHead && isFree('HEAD') ? [...wanted, 'HEAD'] : [...wanted]
  return isShort ? all.filter(isFree) : all
}
