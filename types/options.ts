import type { Duplex } from 'node:stream'
import type { FastifyRequest, RouteShorthandOptions } from 'fastify'
import type { Exchange } from './model.ts'
import type { Balancer } from './policy.ts'

/**
 * What the user writes. Durations are milliseconds, sizes are bytes. Every problem of every registration is
 * reported together, as one `ConfigError`, when the app becomes ready; a key that is not listed here is a problem.
 */
export interface ProxyOptions extends Partial<Omit<RouteOptions, 'url' | 'upstream'>> {
  /** Named upstreams. A string is one endpoint (a URL, or `unix:/run/app.sock`), an array of strings several. */
  upstreams?: Record<string, UpstreamOptions | string | string[]>
  /** Declared routes, each a Fastify route. */
  routes?: RouteOptions[]
  /** Mounts all routes of this registration; added to the prefix of the surrounding Fastify scope. */
  prefix?: string
  /** One-line form: everything under `prefix` goes to this name or URL. */
  upstream?: string | UpstreamOptions
  /**
   * One-line form: what replaces `prefix` in the path sent upstream, as it is; for the prefix's parameters there is `rewrite`.
   * @default the path of the `upstream` URL, or '/'
   */
  rewritePrefix?: string
  /** Behaviour of every route of this registration that does not say otherwise. */
  defaults?: RouteBehaviour
  /**
   * Whether requests are counted; `false` in any registration turns it off for the app.
   * @default true
   */
  metrics?: boolean
  /**
   * Whether `reply.proxy` may name an upstream by a URL that no route or canary of the configuration names; in one registration of the app. Without it
   * such a URL is `config_error` (500).
   * @default false
   */
  adHoc?: false | AdHocOptions
}

/** Upstreams by URL, made when `reply.proxy` first names them. One whose connections have all closed is let go. */
export interface AdHocOptions {
  /**
   * Origins that may be named, such as `http://10.0.0.1:3000`, or a function that decides. A URL that is made of a client's input can name whatever
   * this lets it.
   */
  origins: string[] | ((url: URL) => boolean)
  /**
   * Upstreams at one time; beyond these the one that was least recently used is let go.
   * @default 256
   */
  max?: number
}

/** A group of interchangeable endpoints. */
export interface UpstreamOptions {
  /** At least one: URLs, of which one with a path puts that path in front of every path sent to it, or Unix sockets; see `EndpointOptions.origin`. */
  endpoints: (string | EndpointOptions)[]
  /**
   * How an endpoint is chosen; all honour weights, of one request at a time as of many. `power-of-two` draws two and takes the less busy
   * one; `round-robin` takes turns; `random` draws; `least-requests` looks at all and takes the least busy, and of those that are equally
   * busy one after another; `peak-ewma` draws two and takes the one that has answered sooner lately, for what it has under way (an attempt
   * that failed, a 5xx or a 429 counts as a second; differences of less than 10 ms, or less than half, as none); `hash` keeps one key on
   * one endpoint. Or one of your own; what it throws, and what is none of the endpoints it was shown, is `internal_error` (500); what its
   * `onAttempt` throws is a warning of the process, once.
   * @default 'power-of-two'
   */
  balancer?: 'power-of-two' | 'round-robin' | 'random' | 'least-requests' | 'peak-ewma' | HashOptions | Balancer
  /** Connections to each endpoint. */
  pool?: PoolOptions
  /**
   * Asks an endpoint nothing for a while that has failed several times in a row (`circuit_open`, 503, where it is the only one). What counts: no
   * connection, a broken one, a timeout, an answer that is no HTTP; never a status, nor a kept connection that was closed for being idle. See `counts`. A
   * health check that passes closes it.
   * @default on, with the defaults below
   */
  breaker?: false | BreakerOptions
  /** How much it is given at one time, and who may wait. What is beyond is answered with 503 at once. */
  limits?: LimitOptions
  /**
   * Active checks of every endpoint. Those that fail are passed over until they pass again; while none is left, all are used.
   * @default false
   */
  health?: false | HealthOptions
  /**
   * Ejects endpoints whose real attempts fail, for a time that grows. What counts: no connection, a broken one, a timeout, 502, 503 and 504; never what
   * the client, or a limit of the proxy, ended. The only endpoint of an upstream is never ejected.
   * @default on, with the defaults below
   */
  outlier?: false | OutlierOptions
  /**
   * Over how many milliseconds an endpoint that comes back gets from a tenth of its weight to all of it. 0 disables.
   * @default 0
   */
  slowStart?: number
}

/** Of each endpoint by itself. */
export interface BreakerOptions {
  /**
   * Failures in a row.
   * @default 5
   */
  consecutiveFailures?: number
  /**
   * Milliseconds until it is tried again.
   * @default 5000
   */
  halfOpenAfter?: number
  /**
   * Requests that it is given at one time then, and as many have to go well: the head of their answer comes. One that takes longer than
   * `halfOpenAfter` to get there lets the next one in.
   * @default 1
   */
  probes?: number
  /**
   * Failures that count. `connect`: no connection could be made. `all`: also a connection that broke, a timeout, or an answer that is no
   * HTTP. These can be provoked by whoever knows a request over which the upstream breaks its connection, or answers slowly.
   * @default 'connect' while no other endpoint is available with a closed breaker, 'all' otherwise
   */
  counts?: 'connect' | 'all'
}

export interface LimitOptions {
  /**
   * Requests under way, on all endpoints together.
   * @default 1024
   */
  active?: number
  /**
   * Requests that wait for an endpoint with a free connection, in the order in which they came (`upstream_overflow`, 503). 0 lets none wait.
   * @default 1024
   */
  pending?: number
  /**
   * How long one waits (`queue_timeout`, 503).
   * @default 5000
   */
  queueTimeout?: number
}

/**
 * By what callers are told apart: a number is taken as its digits, an object with a text of its own (an ObjectId) as that text. undefined,
 * null, NaN and '' are no key. A promise, and an object that has no text of its own, end the request with `internal_error` (500).
 */
export type CallerKey = string | number | bigint | { toString (): string, readonly then?: never } | null | undefined

/** Rendezvous hashing: when an endpoint goes, only its own keys move. */
export interface HashOptions {
  name: 'hash'
  /** Whose value decides. A request without it is spread by `power-of-two`. */
  key: { header: string } | { cookie: string } | ((request: FastifyRequest) => CallerKey)
}

export interface EndpointOptions {
  /**
   * `http://name:port` or `https://name:port`, optionally with a base path; or `unix:/run/app.sock`, the absolute path of a Unix socket, of which
   * nothing is decoded, without TLS and without a base path. `Host` is `localhost` there, unless `host` says otherwise. A socket that is not
   * there, or not ours to open, is `connection_refused` (502).
   */
  origin: string
  /**
   * Share of the traffic in relation to the other endpoints. 0 takes it out: no request goes there, no retry either, nor when everything
   * else fails; it counts in no share of the endpoints that are up, and only health checks still ask it. With 0 for all, requests are
   * answered with `no_healthy_upstream` (503), and the log has a warning at start.
   * @default 1
   */
  weight?: number
  /**
   * Lower ones first: the next gets traffic when fewer than 71 % of an earlier one's endpoints are available, the more the fewer.
   * @default 0
   */
  priority?: number
  /** Value of the `Host` header for this endpoint, in place of its own authority. */
  host?: string
}

export interface HealthOptions {
  /**
   * Put behind the endpoint's base path; may have a query.
   * @default '/'
   */
  path?: string
  /**
   * @default 'GET'
   */
  method?: 'GET' | 'HEAD'
  /**
   * Up to a tenth less, at random. An unhealthy endpoint is asked twice as often, and again soon when it passes.
   * @default 10000
   */
  interval?: number
  /**
   * Of one check: connecting, head and body.
   * @default 5000, or the interval where that is shorter, or `maxLatency` where that is longer
   */
  timeout?: number
  /**
   * Checks in a row that an unhealthy endpoint has to pass. The first that is ever passed is enough.
   * @default 2
   */
  rise?: number
  /**
   * Checks in a row that fail before an endpoint is unhealthy.
   * @default 3
   */
  fall?: number
  /**
   * Statuses that pass. Redirects are not followed: they say nothing of this endpoint.
   * @default 200 to 399, but for redirects (301, 302, 303, 307, 308)
   */
  status?: number[] | ((status: number) => boolean)
  /** Milliseconds from the start of a check to the head of the answer; what takes longer fails. */
  maxLatency?: number
  /** Sent with each check, after `x-health-probe: true` and in its place if named so. */
  headers?: Record<string, string>
  /**
   * How long the app's readiness waits until every endpoint has been found healthy or unhealthy. It does not fail when that takes longer. 0 disables.
   * @default 0
   */
  waitForHealthy?: number
}

export interface OutlierOptions {
  /**
   * Failures in a row. After an ejection the first is enough until one attempt goes well.
   * @default 5
   */
  consecutiveFailures?: number
  /**
   * Share of the attempts within `window` that came to no answer (statuses do not count).
   * @default 0.3
   */
  failureRate?: number
  /**
   * Attempts within `window` below which the rate says nothing.
   * @default 10
   */
  minimumRequests?: number
  /**
   * @default 60000
   */
  window?: number
  /**
   * Of the first ejection; the second is twice as long, and so on, up to a tenth more at random. An endpoint that could not be connected to is back
   * as soon as it can; one that a health check saw fail, as soon as it passes. Where it is not written, no longer than `maxEjection`.
   * @default 30000
   */
  baseEjection?: number
  /**
   * Never shorter than `baseEjection`.
   * @default 300000, or `baseEjection` where that is longer
   */
  maxEjection?: number
  /**
   * Share of the endpoints that may be ejected at one time; one of several may always be, unless this is 0.
   * @default 0.5
   */
  maxEjectedShare?: number
}

export interface PoolOptions {
  /**
   * Connections per endpoint at most. A request that finds those of all endpoints busy waits; see `limits`. Where it is
   * not written, at least `warm`.
   * @default 128
   */
  connections?: number
  /**
   * Connections per endpoint that are opened, TLS included, before the app is ready, and kept. An endpoint that cannot be connected to does not hold up the app.
   * @default 0
   */
  warm?: number
  /**
   * How long an idle connection is kept; never longer than the upstream announces in `Keep-Alive`.
   * @default 4000
   */
  keepAliveTimeout?: number
  /**
   * Bound on name resolution, TCP, the answer of `proxy` and TLS handshake together (`connection_timeout`, 504).
   * @default 5000
   */
  connectTimeout?: number
  /**
   * What the endpoints speak. `h2` is HTTP/2 alone: by ALPN to https:// origins (`tls_protocol_error`, 502, where they do not speak it),
   * with prior knowledge to http:// ones; a connection carries up to 100 requests at once, or what the upstream allows.
   * Pools of the two protocols are never mixed.
   * @default 'http1'
   */
  protocol?: 'http1' | 'h2'
  /**
   * Bytes of names and values in the head of an answer, and of its trailers. From so many on it is `http_response_header_section_size` (502), which
   * neither breaker nor ejection counts. At most 16 MiB; over HTTP/2 Node takes about 144 KiB, compressed, whatever is written here.
   * A client of HTTP/2 is sent 64 KiB at most, unless `maxSendHeaderBlockLength` among Fastify's own `http` or `https` options says otherwise.
   * @default 16384, or what Node was told by `--max-http-header-size`
   */
  maxHeaderSize?: number
  /**
   * A forward proxy, `http://proxy:3128` or `https://…`, without path and query: connections to the endpoints are made through it, by CONNECT, for
   * http:// and https:// origins, health checks and warm connections included. User information in it becomes `Proxy-Authorization: Basic` and is told
   * nowhere. To an https:// proxy `tls.ca`, `tls.minVersion`, `tls.ciphers` and `tls.rejectUnauthorized` hold too, the client certificate and `servername` not.
   * What it answers but 2xx is `connection_refused` (502), 504 `connection_timeout` (504), what is no HTTP `http_protocol_error` (502), and no answer
   * `connection_terminated` (502): nothing has been sent by then, so that every method may be tried again. Not for endpoints on Unix sockets.
   */
  proxy?: string
  /** TLS towards the endpoints. Key material that does not fit is refused at start. */
  tls?: TlsOptions
}

export interface TlsOptions {
  /** Authorities to trust in place of Node's own list. */
  ca?: string | Buffer | (string | Buffer)[]
  /** Client certificate (PEM), with the chain behind it where there is one. Needs `key`. */
  cert?: string | Buffer
  /** Key of the client certificate (PEM). Needs `cert`. */
  key?: string | Buffer
  /** Of an encrypted `key`, or of `pfx`. Told nowhere. */
  passphrase?: string
  /** Client certificate and key in one (PKCS#12, what a .p12 or .pfx file holds), as a buffer or a binary string; in place of `cert` and `key`. */
  pfx?: string | Buffer
  /**
   * The oldest version of TLS that is spoken.
   * @default Node's own, TLSv1.2
   */
  minVersion?: 'TLSv1.2' | 'TLSv1.3'
  /**
   * Cipher suites, as OpenSSL lists them, separated by colons. A name that OpenSSL does not know is refused.
   * @default Node's own
   */
  ciphers?: string
  /** Name sent in SNI and checked against the certificate, in place of the endpoint's host name; a dot at its end is left out. */
  servername?: string
  /**
   * Whether an untrusted certificate is refused (`tls_certificate_error`, 502). Turn it off for tests only.
   * @default true
   */
  rejectUnauthorized?: boolean
}

// @fastify/websocket gives Fastify's own routes a `websocket` of its own, which is another one.
/** A proxied route: a Fastify route, `handler` excepted, and where its exchanges go. */
export interface RouteOptions extends Omit<RouteShorthandOptions, 'websocket' | 'wsHandler'>, RouteBehaviour {
  /** Fastify route syntax. A url that ends in `/*` also matches without the slash. */
  url: string
  /**
   * @default every method that Fastify supports, but for TRACE
   */
  method?: string | string[]
  /** A name of `upstreams`, a URL, or a Unix socket (`unix:/run/app.sock`). */
  upstream: string
}

/** How exchanges are shaped, wherever they are declared. */
export interface RouteBehaviour {
  /**
   * The path sent upstream: a template (`/v2/users/:id`, `/v2/*`) or a function. Parameters are percent-encoded again,
   * the wildcard is the raw rest of the path; the query is kept. The result must pass the path policy (400 otherwise).
   * @default the path as it was received
   */
  rewrite?: string | ((request: FastifyRequest) => string)
  /**
   * The `Host` header sent upstream: that of the endpoint, that of the client, or a fixed one.
   * The client's is always in `X-Forwarded-Host`.
   * @default 'upstream'
   */
  host?: 'upstream' | 'original' | (string & {})
  /** One canary. */
  canary?: CanaryOptions
  /** Several canaries, in order; the first whose header matches wins, then the first whose cookie does, then each has its weight. */
  canaries?: CanaryOptions[]
  /** Declarative edits: `remove`, then `set`, then `append`, after all built-in shaping. */
  headers?: { request?: HeaderEdits, response?: ResponseHeaderEdits }
  /**
   * Last word on the request head, after all built-in shaping and before the first byte upstream. Synchronous: a promise is `internal_error`
   * (500), and so is a head whose method, path or values are none.
   */
  onProxyRequest?: (head: RequestHead, exchange: Exchange) => void | undefined
  /** Last word on the head of an upstream's response, before the first byte to the client. Synchronous, by the same rule. */
  onProxyResponse?: (head: ResponseHead, exchange: Exchange) => void | undefined
  /**
   * Which headers tell the upstream who called: `X-Forwarded-For/Host/Proto/Prefix`, RFC 7239 `Forwarded`, or both.
   * Values are set, and appended only for peers that Fastify's `trustProxy` trusts; what an untrusted client sent is dropped even with `false`.
   * @default 'x-forwarded'
   */
  forwarded?: false | 'x-forwarded' | 'forwarded' | 'both'
  /**
   * Our name in `Via` (RFC 9110 7.6.3), by which a request that comes round again is refused (`proxy_loop_detected`, 502).
   * @default 'sluice'
   */
  via?: false | string
  timeouts?: TimeoutOptions
  /** When a failed attempt is followed by another; `false` for never. */
  retry?: false | RetryOptions
  /** Limits of bodies, what is kept of them, and what is changed in them. */
  body?: BodyOptions
  /**
   * Tells the upstream how many milliseconds it has, of the shorter of `timeouts.attempt` and what is left of `timeouts.total`: in
   * `x-envoy-expected-rq-timeout-ms`, or the header named here. What the client says in it is dropped.
   * @default false
   */
  forwardDeadline?: boolean | string
  /** Changes attributes of the upstream's `Set-Cookie`; names, values and all other attributes stay as they are. */
  cookies?: CookieOptions
  /**
   * Maps what the app knows of the caller to headers sent upstream. The same names are always dropped from what the client sent, in every
   * spelling that CGI, WSGI or PHP take for them. A bare function tells its names only as it gives them: a client may send a name that the
   * function has not given yet. With `names` that cannot happen. A promise, and a value that is no string, are `internal_error` (500).
   */
  credentials?: CredentialsOptions | CredentialsOptions['of']
  /**
   * Whether `Location`, `Content-Location` and `Refresh` come back under the route's prefix, once: those that are a path, or that name the
   * endpoint, the `Host` that it was sent, or the host and scheme that it was told (`X-Forwarded-*`, `Forwarded`). They become a path as the
   * client knows it; of another scheme or host they are left alone. A path that is under the prefix already stays, unless all paths of the
   * upstream begin with it too. The mirror of it: WebDAV's `Destination` (COPY, MOVE) and the tags of `If` that name this route become the
   * upstream's; a path in them that the path policy refuses is `http_request_error` (400), a `Destination` that another route guards
   * `http_request_denied` (403). Where `rewrite` is a function or has parameters, nothing of this is done.
   * @default true
   */
  location?: boolean
  /**
   * Trace context (W3C). `participate` keeps a valid trace id and sets a new parent id; `passthrough` forwards valid headers
   * as they are; `restart` begins a new trace; `false` leaves the headers alone. With an OpenTelemetry SDK registered, its
   * propagator is used and each attempt has a CLIENT span.
   * @default 'participate'
   */
  trace?: 'participate' | 'passthrough' | 'restart' | false
  /** Decides per request whether the caller's trace context is believed; `false` restarts the trace. */
  trust?: (request: FastifyRequest) => boolean
  /**
   * What happens to `%2F`, `%5C` and `%00` in a path. Dot segments are refused in either case.
   * @default 'forward'
   */
  encodedSlashes?: 'forward' | 'reject'
  /**
   * A path with empty segments, `%2F`, `%5C` or matrix parameters that another route would take, if these were merged, decoded and cut off, as some
   * upstreams read them: `reject` answers 400 where that route has hooks, constraints, credentials or an upstream that this one has not, or is the app's own;
   * `forward` sends it as it is. Routes of the app that were declared before this plugin are seen where they have no parameters.
   * @default 'reject'
   */
  ambiguousPaths?: 'forward' | 'reject'
  /**
   * Adds `x-variant` and `Server-Timing` to responses: what passed before the last attempt (`proxy`), that attempt to its head (`upstream`),
   * and of it `queue`, `connect`, `request` and `ttfb`.
   * @default false
   */
  expose?: boolean
  /**
   * Milliseconds from which on an exchange counts as slow (`sluice_slow_requests_total`). Event streams and tunnels never do.
   * @default 200
   */
  slow?: number
  /**
   * Whether WebSocket handshakes (RFC 6455) are forwarded: hooks run as for any request, and once the upstream has switched
   * protocols the bytes pass in both directions as they are. Without it, a handshake is an ordinary GET.
   * @default false
   */
  websocket?: boolean | WebSocketOptions
}

/** See `RouteBehaviour.credentials`. */
export interface CredentialsOptions {
  /** Every name that `of` may give; another one is `internal_error` (500). */
  names: readonly string[]
  /** `undefined` for a name that has no value: the client's is dropped all the same. Synchronous. */
  of: (request: FastifyRequest) => Record<string, string | undefined>
}

export interface BodyOptions {
  /**
   * Bytes that a request body may have (`http_request_error`, 413): told by `Content-Length` before an upstream is contacted, or while
   * it streams, and then the upstream's request is cancelled. Of this and the route's own `bodyLimit` the smaller one holds. Without
   * either there is no limit.
   */
  requestLimit?: number
  /**
   * Bytes that a response body may have, as the upstream sends it (`http_response_body_size`): told by `Content-Length`, with 502, or
   * while it streams, by cutting the client's connection. The upstream's request is cancelled. Without it there is no limit.
   */
  responseLimit?: number
  /**
   * Bytes of a request body that are kept while they are sent, so that a retry can send them again; a longer one is sent once. 0 keeps none.
   * @default 65536
   */
  replay?: number
  /**
   * Changes the bodies of responses. A function is given each whole body; a list of pairs replaces texts; an object says more; `false`
   * turns off what `defaults` say. Content codings (gzip, deflate, br, zstd where Node has it) are taken off before and put on again
   * after; `Accept-Encoding` is cut down to these. `Content-Length` is corrected or removed, a strong `ETag` made weak,
   * `Accept-Ranges` and digests removed; the heads of HEAD and 304 say the same of it, and no length. Answers with 204, 205 or 206, empty
   * bodies, and those with `Cache-Control: no-transform` are left alone. A body that is to be rewritten and cannot be is an error, never passed on: an unknown coding or a broken one is
   * `http_response_content_coding`, one that is too large or unfolds to more than 1,100 times its size `http_response_body_size` (502, or
   * the connection cut), what a function throws `internal_error` (500).
   */
  rewrite?: BodyRewrite | false
  /**
   * Changes JSON: given the parsed body of responses of type `application/json` or `*+json`, answers with what is sent in its place.
   * Anything that `rewrite` says of functions holds for it. A body that is no JSON is `http_protocol_error` (502). In place of `rewrite`.
   */
  rewriteJson?: (value: any, exchange: Exchange) => unknown
  /**
   * Bytes, decoded, up to which a body is held whole for a function. A larger one goes to `stream`, or is `http_response_body_size` (502)
   * without one.
   * @default 1048576
   */
  rewriteLimit?: number
}

/** See `BodyOptions.rewrite`. */
export type BodyRewrite = BodyFunction | readonly TextReplacement[] | BodyRewriteOptions

/**
 * A whole body, without its content coding, and what is sent in its place: bytes, or a string, which is sent as UTF-8. May be
 * asynchronous; the head waits for it, for `timeouts.write` at most (`request_timeout`, 504).
 */
export type BodyFunction = (body: Buffer, exchange: Exchange, head: Readonly<ResponseHead>) => string | Uint8Array | Promise<string | Uint8Array>

/**
 * A text, and what stands in its place. Plain text, never a pattern: nothing in it has a meaning, so it may come from anywhere. Found also
 * across pieces of a body and within characters of several bytes. Of several texts in one place the longest is replaced; what was put in
 * is not looked at again.
 */
export type TextReplacement = readonly [find: string, replacement: string | ((exchange: Exchange) => string)]

/** Either `replace`, or `whole`, `stream` or both. */
export interface BodyRewriteOptions {
  /** Texts to replace. A body that comes at once is changed whole, any other as it streams, whatever its size. Charsets: UTF-8 and ISO-8859-1; others are left alone. */
  replace?: readonly TextReplacement[]
  /** For bodies up to `rewriteLimit`. */
  whole?: BodyFunction
  /** Makes a stream that bodies go through: those over `rewriteLimit` and server-sent events, or all where there is no `whole`. */
  stream?: (exchange: Exchange, head: Readonly<ResponseHead>) => Duplex
  /**
   * Media types that are rewritten: `'text/html'`, `'text/*'`, `'*+json'`, `'*'`. By default every type for functions and streams; for
   * `replace` text, JSON, XML, JavaScript, forms, and bodies that have no type.
   */
  types?: readonly string[]
}

export interface CookieOptions {
  /**
   * What replaces the `Domain` of cookies that have one: one for all, or by the upstream's (without leading dot and regard to case;
   * `'*'` is any other). `false` removes it, so that the cookie is for the client's host alone. `__Host-` cookies have none and get none.
   */
  domain?: string | false | Record<string, string | false>
  /**
   * What replaces the `Path` of cookies that have one: one for all, or prefixes of whole segments and what stands in their place
   * (`{ '/': '/shop' }`), the longest first; between that and the rest is one slash, with or without one at the end of either. `false`
   * removes it. That of `__Host-` cookies stays.
   */
  path?: string | false | Record<string, string | false>
  /** `true` adds `Secure` to every cookie, `false` removes it, but from `__Secure-` and `__Host-` cookies, which are nothing without it. */
  secure?: boolean
  /** Sets `SameSite` on every cookie, or removes it. `none` asks for `secure: true`, without which browsers drop the cookie. */
  sameSite?: 'strict' | 'lax' | 'none' | false
}

export interface WebSocketOptions {
  /**
   * Values of `Origin` that may connect, compared exactly, or a function. Others are answered with 403 (`http_request_denied`), those
   * that send none too; a function is called with `undefined` for them.
   * @default every origin; the upstream gets `Origin` and may decide
   */
  allowedOrigins?: string[] | ((origin: string | undefined) => boolean)
  /**
   * Milliseconds without a byte in either direction, after which a tunnel is closed (close code 1001). 0 disables.
   * @default 100000
   */
  idleTimeout?: number
}

export interface TimeoutOptions {
  /**
   * From the last byte of the request to the head of the response (`http_response_timeout`, 504). 0 disables. Where it is not written, `total`
   * bounds it.
   * @default 30000
   */
  head?: number
  /**
   * Silence of the upstream during a response body (`connection_read_timeout`, the client's connection is cut) or of the client
   * during an upload (`client_body_error`, 408). 0 disables.
   * @default 60000
   */
  idle?: number
  /**
   * The whole exchange, retries included (`request_timeout`, 504). 0 disables; server-sent events are exempt once they began. It may stand
   * alone: limits that are not written give way. A longer `head` or `attempt` that is written, by the route or by `defaults`, is a `ConfigError`.
   * @default 0
   */
  total?: number
  /**
   * One attempt, from its start to the head of the response (`http_response_timeout`, 504). 0 disables. Where `retry.on` has `timeout`, and `total`
   * is written without this and `head`: an equal part of `total` for each attempt.
   * @default 0
   */
  attempt?: number
  /**
   * A client that stops reading the response, or an upstream that stops reading the request. 0 disables.
   * @default 60000
   */
  write?: number
}

/**
 * Another attempt goes to another endpoint, as long as there is one that has not been tried. Nothing is tried again once a head has
 * gone to the client. When all attempts have failed, the last answer of an upstream is relayed, if there was one.
 */
export interface RetryOptions {
  /**
   * Attempts after the first.
   * @default 1
   */
  attempts?: number
  /**
   * What is tried again: `connect`, no connection could be made, for any method; `stale`, a kept connection closed before a byte of the answer;
   * `reset`, any connection closed before the answer was handed on, or an answer that is no HTTP; `timeout`, `timeouts.attempt` or
   * `timeouts.head`; and statuses from 400 to 599. All but `connect` only for `methods`, or with an `Idempotency-Key`, and only if the body
   * fits `body.replay`.
   * @default connect and stale
   */
  on?: ('connect' | 'stale' | 'reset' | 'timeout' | number)[]
  /**
   * Methods that may be sent twice.
   * @default those that are idempotent: GET, HEAD, OPTIONS, TRACE, QUERY, PUT and DELETE
   */
  methods?: string[]
  /** How much of the load of an upstream may be retries. */
  budget?: BudgetOptions
  /** How long it is waited. A `Retry-After` of the answer goes first, as long as it is before the deadline, and no more than 5 s. */
  backoff?: BackoffOptions
}

export interface BudgetOptions {
  /**
   * Retries at one time in relation to the requests of the upstream, and of all requests in the long run.
   * @default 0.2
   */
  share?: number
  /**
   * Retries at one time, however few requests there are.
   * @default 3
   */
  minimum?: number
}

/** Before retry n, a time drawn from 0 to `(2^n - 1) * base`, and `max` at most. Of the two, one that is not written gives way to the other. */
export interface BackoffOptions {
  /**
   * @default 25
   */
  base?: number
  /**
   * @default 250
   */
  max?: number
}

/** Sends matching exchanges of a route to another upstream. Decided by header, then cookie, then weight; once per exchange. */
export interface CanaryOptions {
  /**
   * Name of the variant in logs and in `x-variant`; `stable` is the route's own upstream.
   * @default the name of the upstream
   */
  name?: string
  /** A name of `upstreams`, a URL, or a Unix socket (`unix:/run/app.sock`). */
  upstream: string
  /** Header that decides: without `values`, `true`, `1` and `always` choose the canary, `false`, `0` and `never` the stable side. */
  header?: string
  /** Values of the header or cookie that choose the canary; compared trimmed and without regard to case. */
  values?: string[] | RegExp
  /** Cookie that decides, by the same rule. */
  cookie?: string
  /**
   * Percentage, two decimals, of all requests that neither header nor cookie decided. Those of several canaries add up: 100 at most in all,
   * and what they leave is the stable side's.
   * @default 0
   */
  weight?: number
  /** Key that keeps one caller on one side for as long as no weight of the route changes. */
  sticky?: { header: string } | { cookie: string } | ((request: FastifyRequest) => CallerKey)
  /**
   * What happens when the canary has no available endpoint, or half-open ones alone that take no more: `stable` serves the request, `fail`
   * answers 503 (`no_healthy_upstream`, `circuit_open`).
   * @default 'stable'
   */
  onEmpty?: 'stable' | 'fail'
  /**
   * Whether a retry of a canary exchange goes to the stable upstream.
   * @default false
   */
  fallback?: boolean
}

export interface HeaderEdits {
  /** Replaces the header. A function that returns `undefined` leaves it alone. */
  set?: Record<string, string | ((request: FastifyRequest) => string | undefined)>
  /** Adds a value to those that are there. */
  append?: Record<string, string | ((request: FastifyRequest) => string | undefined)>
  remove?: string[]
}

export interface ResponseHeaderEdits extends HeaderEdits {
  /**
   * `always`: also for errors that the proxy or a hook made; `success`: statuses below 400; `failure`: 400 and above, proxy-made ones included.
   * @default every response of the upstream, none of the proxy's own
   */
  when?: 'always' | 'success' | 'failure'
}

/** What is about to be sent upstream. */
export interface RequestHead {
  method: string
  /** Path and query. */
  path: string
  /** Lower-cased names. */
  headers: Record<string, string | string[]>
}

/** What is about to be sent to the client. */
export interface ResponseHead {
  statusCode: number
  /** Lower-cased names. */
  headers: Record<string, string | string[]>
}

/** What `reply.proxy()` takes beside the upstream. */
export interface ReplyProxyOptions extends Omit<RouteBehaviour, 'headers' | 'body' | 'websocket' | 'ambiguousPaths'> {
  /**
   * Path and query sent upstream; held to the path policy like any other.
   * @default those of the request
   */
  path?: string
  /**
   * @default that of the request
   */
  method?: string
  /** Headers set on top of what the client sent, or the edits of a route. */
  headers?: Record<string, string> | NonNullable<RouteBehaviour['headers']>
  /**
   * Sent in place of the request's body; an object is sent as JSON, `null` is no body.
   * @default the request's; where a parser of the app's has made an object of it, that as JSON or as a form if its content type says so,
   * and `config_error` (500) otherwise, or where the app has read of it
   */
  body?: string | Buffer | object | null
  /** What is `body` on a route: limits, replay and rewriting. A name of its own, since no look at an object tells it from one to be sent as JSON. */
  bodyPolicy?: BodyOptions
}
