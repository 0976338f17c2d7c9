import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { ProxyControl } from '../types/control.ts'
import type { Snapshot } from '../types/model.ts'
import type { ProxyOptions, ReplyProxyOptions, RouteOptions } from '../types/options.ts'
import { watchArrivals } from './data-plane/arrival.ts'
import { explain } from './data-plane/explain.ts'
import { ClientSessions } from './data-plane/client-sessions.ts'
import { refuseConnectBeside } from './data-plane/connect-refusal.ts'
import { lingering } from './data-plane/lingering.ts'
import { problemDetails } from './data-plane/problem-details.ts'
import { setUpReplyFrom } from './data-plane/reply-from.ts'
import { replyProxy } from './data-plane/reply-proxy.ts'
import { isSilent } from './data-plane/request-log.ts'
import { RouteGuards } from './data-plane/route-guards.ts'
import { RouteLookup } from './data-plane/route-lookup.ts'
import { RoutePath, withoutSlashes } from './data-plane/route-path.ts'
import { matchingOf, urlsIn, watchMethods } from './data-plane/router-options.ts'
import { type Declaration, declareFastifyRoute } from './data-plane/routes.ts'
import { undiciVersion } from './data-plane/pool/index.ts'
import { AccessLog } from './observe/access-log.ts'
import { EventLog } from './observe/event-log.ts'
import { flushAtExit, forget } from './observe/last-lines.ts'
import { Metrics } from './observe/metrics/index.ts'
import { Recorder } from './observe/metrics/recorder.ts'
import { unwatchPauses, watchPauses } from './observe/pauses.ts'
import { Slowest } from './observe/slowest.ts'
import { Tracing } from './observe/tracing.ts'
import { ConfigError } from './errors.ts'
import { Gateway, type DeclaredRoute } from './gateway.ts'
import { Readiness } from './readiness.ts'
import { version } from './version.ts'

/** What every registration of one app shares: made by the first, found by those after it. */
const gatewayOf = new WeakMap<ProxyControl, Gateway>()
const readinessOf = new WeakMap<Gateway, Readiness>()

async function plugin (app: FastifyInstance, options: ProxyOptions): Promise<void> {
  const { bun } = process.versions
  // Its node:http, node:net and undici are others of the same names: what is leaned on in them is missing, guards among it.
  if (bun !== undefined) {
    throw new ConfigError([{ path: 'runtime', message: `must be Node.js, not Bun ${bun}, whose HTTP server and undici are not Node's` }])
  }
  const gateway = app.hasDecorator('proxy') ? gatewayOf.get(app.proxy)! : setUp(app)
  const { prefix, routes } = gateway.declare(options)
  readinessOf.get(gateway)!.allow(gateway.longestStart)
  await app.register(async function routesOf (scope) {
    mount(scope, gateway, routes)
  }, prefix === '' ? {} : { prefix })
}

/** The outer part, once per app: what it decorates is seen by every scope below. */
function setUp (app: FastifyInstance): Gateway {
  const gateway = new Gateway({ now: () => performance.now(), random: Math.random }, setUpReplyFrom(app), matchingOf(app))
  const recorder = new Recorder(undiciVersion)
  const metrics = new Metrics(recorder, app.log)
  if (!isSilent(app.log)) watch(app, gateway)
  const slowest = new Slowest(performance.timeOrigin)
  gateway.observers.push(slowest)
  const settle = (): void => { slowest.settle(performance.now()) }

  const lookup = new RouteLookup(app)
  const control: ProxyControl = {
    route (options: RouteOptions): void {
      const route = gateway.declareOne(options)
      if (route !== null) app.register(async function routeOf (scope) { mount(scope, gateway, [route]) })
    },
    get snapshot () { return gateway.snapshot },
    metrics,
    slowest: (query) => slowest.list(query),
    explain: (request) => explain(gateway, lookup, app.log, request),
    setCanary: (route, name, change) => { gateway.setCanary(route, name, change) },
    stats: () => gateway.controlPlane.stats(),
    upstream: (name) => gateway.upstream(name),
    tunnels: () => [...gateway.forwarder.tunnels]
  }
  const readiness = new Readiness(app)
  gatewayOf.set(control, gateway)
  readinessOf.set(gateway, readiness)
  app.decorate('proxy', control)
  app.decorateRequest('proxy', null)
  app.decorateReply('proxy', function (this: FastifyReply, upstream: string, options?: ReplyProxyOptions): FastifyReply {
    return replyProxy(gateway, this, upstream, options)
  })

  watchMethods(app, (method, isTooLate) => {
    if (!isTooLate) for (const declare of gateway.mounts) declare(method)
    else app.log.warn(`${method} came while the app starts or later, and is not proxied: call addHttpMethod before app.ready()`)
  })
  app.addHook('onReady', async () => {
    // An SDK is registered before the app is: its propagator says so.
    gateway.forwarder.tracing = Tracing.create(version)
    if (gateway.hasMetrics) {
      gateway.observers.push(recorder)
      gateway.forwarder.flows = recorder.flows
    }
    gateway.build()
    gateway.guards = new RouteGuards(lookup, gateway.snapshot!.routes)
    warnOfIdle(app, gateway.snapshot!)
    slowest.pauses = watchPauses(settle)
    recorder.prepare(gateway.snapshot!, Date.now() / 1000)
    gateway.upgrades.attend(app, watchArrivals(app.server, gateway.urls, gateway.matching))
    const { tracing } = gateway.forwarder
    // Health checks are in nobody's trace.
    await readiness.begin(tracing === null ? gateway.start() : tracing.quietly(() => gateway.start()))
  })
  app.addHook('onListen', async () => { refuseConnectBeside(app) })
  const sessions = new ClientSessions(app.server)
  app.addHook('preClose', async () => {
    gateway.drain()
    sessions.drain()
    lingering.drain(app.server)
  })
  app.addHook('onClose', async () => { unwatchPauses(settle); await gateway.close(); metrics.close() })
  return gateway
}

/** Endpoints that all have weight 0 may be meant, while they are replaced; whoever did not mean it should not have to look for it. */
function warnOfIdle (app: FastifyInstance, { upstreams }: Snapshot): void {
  for (const { name, state } of upstreams.values()) {
    if (state.endpoints.some(({ baseWeight }) => baseWeight > 0)) continue
    app.log.warn({ upstream: name }, 'every endpoint of the upstream has weight 0: its requests are answered with 503')
  }
}

function watch (app: FastifyInstance, gateway: Gateway): void {
  const accessLog = new AccessLog()
  gateway.observers.push(accessLog, new EventLog(app.log, gateway.tools.now))
  flushAtExit(accessLog)
  app.addHook('preClose', async () => { accessLog.hurry() })
  app.addHook('onClose', async () => { forget(accessLog) })
}

/** The inner part, a scope of its own: the prefix, the parsers and the error format end with it; the app's hooks reach in. */
function mount (scope: FastifyInstance, gateway: Gateway, routes: readonly DeclaredRoute[]): void {
  passBodiesThrough(scope)
  // Fastify binds an error handler of the app's, which decides instead of ours; its own has any name in a minified bundle
  // (test/contract/fastify.test.ts).
  if (!scope.errorHandler.name.startsWith('bound ')) scope.setErrorHandler(problemDetails)

  const { matching } = gateway
  const mounted = routes.map((route) => {
    const urls = urlsIn(scope, route.url, route.config.fastify['prefixTrailingSlash'], matching)
    return { ...route, urls, id: gateway.declareRoute(urls[0], route), isDeclared: true }
  })
  type Mounted = typeof mounted[number]
  type Place = Pick<Declaration, 'url' | 'urls' | 'isShort'>
  function declare ({ declaration, where, id }: Mounted, place: Place, methods = declaration.methods): boolean {
    try {
      declareFastifyRoute(scope, gateway, { ...declaration, ...place, id, methods })
      return true
    } catch (error) {
      // Fastify's own words for what is wrong with a url, a method or a hook; it prints lists over several lines, and a problem has one.
      gateway.problems.push({ path: where === '' ? 'options' : where, message: (error as Error).message.replaceAll(/\s+/g, ' ') })
      return false
    }
  }
  function declareLong (route: Mounted, methods?: readonly string[]): boolean {
    return declare(route, { url: route.url, urls: route.urls, isShort: false }, methods)
  }
  function declareShort (route: Mounted, methods?: readonly string[]): void {
    const { url, urls: [full] } = route
    if (!url.endsWith('/*')) return
    const [short] = urlsIn(scope, url.slice(0, -2), undefined, matching)
    // The wildcard takes it by itself, but for routers to which a slash at the end is nothing.
    const isTaken = short === '' || (full === `${short}*` && (short === '/' || !matching.ignoreTrailingSlash))
    const isIts = new RoutePath(full, matching).match(withoutSlashes(short, matching)) !== -1
    if (!isTaken && isIts) declare(route, { url: url.slice(0, -2), urls: [short], isShort: true }, methods)
  }

  for (const route of mounted) route.isDeclared = declareLong(route)
  // Last: a route that somebody declares for the short url itself comes before ours.
  for (const route of mounted) if (route.isDeclared) declareShort(route)
  gateway.mounts.push((method) => {
    const open = mounted.filter(({ isDeclared, declaration }) => isDeclared && declaration.methods === null)
    for (const route of open) route.isDeclared = declareLong(route, [method])
    for (const route of open) if (route.isDeclared) declareShort(route, [method])
  })
}

/** A body of any type is a stream to us; the app's own parsers, multipart's and formbody's among them, stay outside. */
function passBodiesThrough (scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', function passThrough (_request: FastifyRequest, payload: unknown, done: (error: null, body: unknown) => void) {
    done(null, payload)
  })
}

/** `fastify.register(proxy, options)`; see ProxyOptions. */
export const proxy: FastifyPluginAsync<ProxyOptions> = fp(plugin, { fastify: '5.x', name: 'fastify-sluice' })
