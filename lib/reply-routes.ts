import type { Problem } from '../types/control.ts'
import type { Route } from '../types/model.ts'
import type { ReplyProxyOptions, RouteBehaviour } from '../types/options.ts'
import { AD_HOC_LABEL, type AdHocUpstream } from './ad-hoc-upstreams.ts'
import { buildRoute, type Building } from './config/build.ts'
import { type BehaviourConfig, expandRewrite, normalizeBehaviour, type RouteConfig } from './config/normalize.ts'
import { copyOptions } from './config/plain.ts'
import { replySchema } from './config/schema.ts'
import { validate } from './config/validate.ts'
import { AnyPath } from './data-plane/route-path.ts'
import { ConfigError, proxyError } from './errors.ts'

/** Finds the upstreams that `reply.proxy` names. */
export interface ReplyUpstreams {
  /** The upstream that a URL names for the time being; null for one that is configured. */
  adHoc (nameOrUrl: string): AdHocUpstream | null
}

/** Routes of `reply.proxy`: one for each upstream, and one more for each options object that shapes what is sent. They are made when they are first needed. */
export class ReplyRoutes {
  readonly #building: Building
  readonly #upstreams: ReplyUpstreams
  readonly #plain = new Map<string, Route>()
  readonly #shaped = new WeakMap<object, Map<string, Route>>()
  #template: Route | null = null

  constructor (building: Building, upstreams: ReplyUpstreams) {
    this.#building = building
    this.#upstreams = upstreams
  }

  /**
   * The route that a call of `reply.proxy` goes by.
   * @throws ConfigError if the options are not a route's behaviour; ProxyError `config_error` if there is no such upstream
   */
  of (upstream: string, options: ReplyProxyOptions, behaviour: Readonly<Record<string, unknown>>): Route {
    const isPlain = Object.keys(behaviour).length === 0
    const present = isPlain ? this.#plain.get(upstream) : this.#shaped.get(options)?.get(upstream)
    if (present !== undefined) return present
    const adHoc = this.#upstreams.adHoc(upstream)
    const { plain, shaped } = adHoc ?? { plain: this.#plain, shaped: this.#shaped }
    const name = adHoc === null ? upstream : adHoc.upstream.name
    const routes = isPlain ? plain : shaped.get(options) ?? new Map<string, Route>()
    let route = routes.get(name)
    if (route !== undefined) return route
    route = isPlain && adHoc !== null ? this.#aim(adHoc) : this.#build(name, behaviour, adHoc)
    routes.set(name, route)
    if (!isPlain) shaped.set(options, routes)
    return route
  }

  /** The route to one of the upstreams that come and go, where nothing else is said: those differ in nothing else. */
  #aim (upstream: AdHocUpstream): Route {
    this.#template ??= this.#build(upstream.upstream.name, {}, upstream)
    return Object.freeze({ ...this.#template, upstream: upstream.upstream })
  }

  #build (upstream: string, behaviour: Readonly<Record<string, unknown>>, adHoc: AdHocUpstream | null): Route {
    const problems: Problem[] = []
    const config: RouteConfig = {
      url: '/*',
      methods: null,
      upstream,
      rewritePrefix: null,
      behaviour: completed(behaviour, problems),
      fastify: {},
      where: ''
    }
    const find: Building['find'] = (name, where) => adHoc !== null && name === upstream ? adHoc.upstream : this.#building.find(name, where, problems)
    const route = buildRoute(`reply.proxy ${adHoc === null ? upstream : AD_HOC_LABEL}`, '/*', config, { ...this.#building, problems, find })
    if (route === null || problems.length > 0) throw proxyError('config_error', 'select', new ConfigError(problems))
    return config.behaviour.rewrite === undefined ? Object.freeze({ ...route, path: new AnyPath() }) : route
  }
}

/** @throws ConfigError if it is not a route's behaviour */
function completed (behaviour: Readonly<Record<string, unknown>>, problems: Problem[]): BehaviourConfig {
  const full = copyOptions(behaviour) as Record<string, unknown>
  expandRewrite(full)
  const written = copyOptions(full) as RouteBehaviour
  if (!validate(replySchema, full, '', problems)) throw new ConfigError(problems)
  return normalizeBehaviour(full, written, '', problems)
}
