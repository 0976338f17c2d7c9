import type { TLSSocket } from 'node:tls'
import type { FastifyRequest } from 'fastify'
import type { Endpoint } from '../../../types/model.ts'
import type { RequestHead } from '../../../types/options.ts'
import type { ProxyExchange, PublicReference, PublicResource } from '../../model/exchange.ts'
import { isCleanPath, parseTarget } from '../path-policy.ts'
import { isSameAuthority, schemeOf } from './authority.ts'
import { proxyError } from '../../errors.ts'

type Headers = RequestHead['headers']

/** Guards of other routes; see route-guards.ts. */
interface Guards {
  checkNamed (exchange: ProxyExchange, path: string): void
}

/**
 * The mirror of Location: fields of WebDAV by which a client names resources, Destination (RFC 4918 10.3) and the tags of If (10.4). A
 * resource of this route, named as the client sees it, becomes the upstream's. The endpoint is not known yet; see aimReferences.
 */
export function findReferences (exchange: ProxyExchange, method: string, guards: Guards | null): void {
  const { destination, if: condition } = exchange.request.headers as NodeJS.Dict<string>
  if (destination === undefined && condition === undefined) return
  const references: PublicReference[] = []
  // To other methods a Destination is a word of their own.
  if (destination !== undefined && (method === 'COPY' || method === 'MOVE')) {
    addReference(references, 'destination', destination, [resourceOf(destination, exchange, guards) ?? destination])
  }
  if (condition !== undefined) addReference(references, 'if', condition, tagsOf(condition, exchange))
  if (references.length > 0) exchange.references = references
}

function addReference (references: PublicReference[], name: string, current: string, parts: readonly (string | PublicResource)[]): void {
  if (parts.some((part) => typeof part === 'object')) references.push({ name, current, parts })
}

/** Per attempt: an absolute reference has the authority of the endpoint, and every path its base path. */
export function aimReferences (references: readonly PublicReference[], headers: Headers, endpoint: Endpoint): void {
  for (const reference of references) {
    if (headers[reference.name] !== reference.current) continue
    // The Host that is sent: upstreams compare the two.
    const front = `${schemeOf(endpoint.origin)}//${String(headers['host'] ?? endpoint.host)}`
    reference.current = reference.parts.map((part) => {
      if (typeof part === 'string') return part
      return (part.isAbsolute ? front : '') + endpoint.basePath + part.path
    }).join('')
    headers[reference.name] = reference.current
  }
}

/**
 * The field in parts: text, and the resources of this route that its tags name. A tag stands in angle brackets outside of the lists; in
 * these, which have parentheses, stand state tokens and entity tags, which are opaque (RFC 4918 10.4.2).
 */
function tagsOf (condition: string, exchange: ProxyExchange): (string | PublicResource)[] {
  const parts: (string | PublicResource)[] = []
  let isInList = false
  let begin = 0
  for (let index = 0; index < condition.length; index++) {
    const char = condition[index]
    if (char === '(') isInList = true
    else if (char === ')') isInList = false
    if (char !== '<' && !(char === '"' && isInList)) continue
    const end = condition.indexOf(char === '<' ? '>' : '"', index + 1)
    if (end === -1) break
    const resource = isInList ? null : resourceOf(condition.slice(index + 1, end), exchange, null)
    if (resource !== null) {
      parts.push(condition.slice(begin, index + 1), resource)
      begin = end
    }
    index = end
  }
  parts.push(condition.slice(begin))
  return parts
}

/**
 * @returns null for what names something else
 * @throws ProxyError `http_request_error` for a path of this gateway that the path policy refuses: resolved by the upstream, it could lead
 * out of the route
 */
function resourceOf (reference: string, exchange: ProxyExchange, guards: Guards | null): PublicResource | null {
  const { request, route } = exchange
  const place = /^(https?:)\/\/([^/?#]*)/i.exec(reference)
  if (place === null ? !reference.startsWith('/') : !isOurs(place[1]!.toLowerCase(), place[2]!, request)) return null
  const rest = place === null ? reference : reference.slice(place[0].length)
  const target = parseTarget(rest.startsWith('/') ? rest : `/${rest}`, request.method, route.encodedSlashes)
  if (target === null) throw refused()
  guards?.checkNamed(exchange, target.path)
  const path = route.path.rewrite(target.path, request)
  if (path === null) return null
  if (!isCleanPath(path, route.encodedSlashes)) throw refused()
  return { path: path + target.query, isAbsolute: place !== null }
}

function refused (): Error {
  return proxyError('http_request_error', 'select', new Error('a Destination or If names a path that does not pass the path policy'))
}

/** By Fastify's view, which is that of a trusted peer, or by Host and the connection's own scheme. */
function isOurs (scheme: string, authority: string, request: FastifyRequest): boolean {
  const { host } = request.headers
  const own = (request.raw.socket as Partial<TLSSocket>).encrypted === true ? 'https:' : 'http:'
  return (scheme === `${request.protocol}:` && isSameAuthority(authority, request.host, scheme)) ||
    ((scheme === own || scheme === `${request.protocol}:`) && host !== undefined && isSameAuthority(authority, host, scheme))
}
