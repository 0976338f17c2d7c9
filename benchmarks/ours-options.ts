import type { ProxyOptions, RouteOptions } from '../types/index.ts'
import { replacement } from './replacement.ts'
import { canaryUpstream, eight, second, secureName, secureUpstream, tls, upstream, type feature } from './contract.ts'
import { manyPaths } from './many.ts'

/** What a user has on without asking for more is on everywhere; a canary rule that every request is held against, too. */
const common = { trace: 'participate', canary: { upstream: 'next', header: 'x-canary', weight: 0 } } as const

/** Every policy there is, as one would set it. All have to look at each request; none may change where it goes or what comes back. */
const policies: Omit<RouteOptions, 'url' | 'upstream'> = {
  ...common,
  canaries: [
    { upstream: 'next', name: 'by-header', header: 'x-canary' },
    { upstream: 'next', name: 'by-cookie', cookie: 'canary', values: ['next'] },
    { upstream: 'next', name: 'by-weight', weight: 0, sticky: { header: 'x-user' } }
  ],
  forwarded: 'both',
  host: 'original',
  headers: {
    request: { remove: ['x-internal'], set: { 'x-gateway': 'bench' }, append: { 'x-via': 'bench' } },
    response: { remove: ['x-powered-by'], set: { 'strict-transport-security': 'max-age=31536000' }, when: 'always' }
  },
  credentials: () => ({ 'x-user-id': 'ada', 'x-tenant': undefined }),
  cookies: { domain: false, path: { '/': '/' }, secure: true, sameSite: 'lax' },
  onProxyRequest: () => {},
  onProxyResponse: () => {},
  trust: () => true,
  expose: true,
  forwardDeadline: true,
  timeouts: { head: 10_000, idle: 30_000, attempt: 20_000, total: 60_000, write: 30_000 },
  retry: { attempts: 2, on: ['connect', 'stale', 'reset', 'timeout', 502, 503, 504], budget: { share: 0.2 } },
  body: { requestLimit: 10_000_000, responseLimit: 100_000_000 },
  encodedSlashes: 'reject',
  websocket: true
}

/** `upstreams` and `routes` of the contender called ours. */
export function oursOptions (asked: typeof feature): ProxyOptions {
  switch (asked) {
    case 'tls': {
      const pool = { tls: { ca: tls().ca, servername: secureName } }
      return { upstreams: { stable: { endpoints: [secureUpstream], pool }, next: { endpoints: [secureUpstream], pool } }, routes: [{ url: '/*', upstream: 'stable', ...common }] }
    }
    case 'canary':
      return { upstreams: { stable: upstream, next: canaryUpstream }, routes: [{ url: '/*', upstream: 'stable', ...common }] }
    case 'endpoints':
      return { upstreams: { stable: [...eight], next: upstream }, routes: [{ url: '/*', upstream: 'stable', ...common }] }
    case 'policies': {
      const rest = {
        breaker: { consecutiveFailures: 10 },
        limits: { active: 512, pending: 512 },
        health: { path: '/small', interval: 1000 },
        outlier: { consecutiveFailures: 10 },
        slowStart: 1000,
        pool: { warm: 4 }
      }
      const { canary, ...behaviour } = policies
      return { upstreams: { stable: { endpoints: eight.slice(0, 3), ...rest }, next: { endpoints: [eight[3]!], ...rest } }, routes: [{ url: '/*', upstream: 'stable', ...behaviour }] }
    }
    case 'routes':
      return { upstreams: { stable: upstream, next: upstream }, routes: manyPaths().map((url) => ({ url: `${url}/*`, upstream: 'stable', ...common })) }
    case 'rewrite':
      return { upstreams: { stable: upstream, next: upstream }, routes: [{ url: '/*', upstream: 'stable', ...common, body: { rewrite: [replacement] } }] }
    case 'pair':
      return { upstreams: { stable: [upstream, second], next: upstream }, routes: [{ url: '/*', upstream: 'stable', ...common }] }
    case 'room':
      return { upstreams: { stable: { endpoints: [upstream], limits: { active: 50_000 }, pool: { connections: 10_000 } }, next: upstream }, routes: [{ url: '/*', upstream: 'stable', ...common }] }
    case 'none':
      return { upstreams: { stable: upstream, next: upstream }, routes: [{ url: '/*', upstream: 'stable', ...common }] }
  }
}
