import type { Endpoint } from '../../types/model.ts'
import type { RequestHead } from '../../types/options.ts'
import type { ProxyExchange } from '../model/exchange.ts'
import { dropSpellings } from './transform/owned-names.ts'
import { copyRequestHeaders } from './transform/hop-by-hop.ts'
import { aimReferences } from './transform/references.ts'

type Headers = RequestHead['headers']

/** The client's end-to-end fields, and over them those that `reply.proxy` sets. */
export function receivedFields (exchange: ProxyExchange): Headers {
  const { request, route, outgoing, hasOwnLength } = exchange
  const headers = copyRequestHeaders(request.headers, route.owned, outgoing !== null && outgoing.body !== null && !hasOwnLength)
  // A body that a preParsing hook changed, or that is not the client's, has another length.
  if (hasOwnLength) delete headers['content-length']
  if (exchange.override !== null) applyOverride(exchange, headers)
  return headers
}

/** The route's transforms, in their order; no endpoint has a say in them. */
export function transformHead (exchange: ProxyExchange, head: RequestHead): void {
  const { path } = head
  for (const transform of exchange.route.requestTransforms) transform.apply(head, exchange)
  if (head.method === 'TRACE') reduceTrace(exchange, head, path)
  exchange.hostFollowsEndpoint = head.headers['host'] === undefined
  exchange.method = head.method
  exchange.upstreamPath = head.path
}

/** Behind `reply.proxy` the code's own fields outrank the client's, in whatever spelling the client has sent them. */
function applyOverride (exchange: ProxyExchange, headers: Headers): void {
  if (exchange.outgoing?.body === null) delete headers['content-type']
  if (exchange.isJson && !String(headers['content-type'] ?? '').includes('json')) headers['content-type'] = 'application/json'
  const own = exchange.override!.headers
  for (const name in own) dropSpellings(headers, name.toLowerCase())
  for (const name in own) headers[name.toLowerCase()] = own[name]!
}

/**
 * The answer to a TRACE shows the request to whoever has sent it (RFC 9110 9.3.8). It carries what the client has sent and nothing that
 * the gateway knows: no credentials, no set fields, no query of a rewrite's own; nor what a script in a browser sends along and must not
 * read.
 */
function reduceTrace (exchange: ProxyExchange, head: RequestHead, path: string): void {
  dropAdded(exchange, head.headers)
  const question = path.indexOf('?')
  head.path = question === -1 ? path : path.slice(0, question) + exchange.query
}

/** Of what the gateway adds, a request needs Host, and the way that a TRACE is to show is Via. */
export function dropAdded ({ request }: ProxyExchange, headers: Headers): void {
  for (const name in headers) {
    if (name !== 'host' && name !== 'via' && headers[name] !== request.headers[name]) delete headers[name]
  }
  delete headers['authorization']
  delete headers['cookie']
}

/** Fields of one attempt: the path behind the endpoint's base path, SNI, Host, and the deadline. */
export function aim (exchange: ProxyExchange, endpoint: Endpoint, now: number): void {
  const outgoing = exchange.outgoing!
  // undici takes no `*`; see CountingClient.askForAll.
  if (exchange.upstreamPath === '*') outgoing.path = '/*'
  else if (endpoint.basePath !== '') outgoing.path = endpoint.basePath + exchange.upstreamPath
  else outgoing.path = exchange.upstreamPath
  outgoing.servername = endpoint.servername
  if (exchange.hostFollowsEndpoint) {
    if (endpoint.hostField !== null) outgoing.headers['host'] = endpoint.hostField
    // Deletes the Host that an earlier attempt set.
    else if (outgoing.headers['host'] !== undefined) delete outgoing.headers['host']
  }
  if (exchange.references !== null) aimReferences(exchange.references, outgoing.headers, endpoint)
  const { deadlineHeader } = exchange.route
  if (deadlineHeader !== null) tellDeadline(exchange, outgoing.headers, deadlineHeader, now)
}

/** Whoever works on for longer works for nobody. */
function tellDeadline ({ attemptDue, totalDue, method }: ProxyExchange, headers: Headers, name: string, now: number): void {
  const due = Math.min(attemptDue, totalDue)
  // Also what the client says about it: it is not the client's to say how long the upstream has with us.
  if (due === Infinity || method === 'TRACE') delete headers[name]
  else headers[name] = String(Math.max(1, Math.round(due - now)))
}
