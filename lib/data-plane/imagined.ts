import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from 'fastify'
import type { ImaginedRequest } from '../../types/explanation.ts'
import { settleAuthority } from './arrival.ts'
import type { Found } from './route-lookup.ts'

/** A request that nobody made, as Node's parser would have it. */
export function imagineRaw ({ method = 'GET', url, headers = {}, ip = '127.0.0.1' }: ImaginedRequest): IncomingMessage {
  const socket = new Socket()
  Object.defineProperty(socket, 'remoteAddress', { value: ip })
  const raw = new IncomingMessage(socket)
  const lines: [string, string][] = Object.entries(headers).flatMap(([name, value]) => [value].flat().map((line) => [name, String(line)] as [string, string]))
  if (!lines.some(([name]) => name.toLowerCase() === 'host')) lines.unshift(['Host', 'localhost'])
  raw.method = method.toUpperCase()
  raw.url = url
  raw.httpVersion = '1.1'
  raw.httpVersionMajor = 1
  raw.httpVersionMinor = 1
  raw.rawHeaders = lines.flat()
  for (const [name, line] of lines) {
    const lower = name.toLowerCase()
    const known = raw.headers[lower]
    raw.headers[lower] = known === undefined ? line : `${String(known)}${lower === 'cookie' ? ';' : ','} ${line}`
  }
  settleAuthority(raw)
  return raw
}

/** What Fastify would have made of it, as far as functions of the options may look; `extra` is what hooks would have added. */
export function imagineRequest (raw: IncomingMessage, { route, params, query }: Pick<Found, 'params' | 'query'> & { readonly route: { readonly url: string } }, log: FastifyBaseLogger, extra: object): FastifyRequest {
  const authority = raw.headers.host!
  return {
    id: 'explain',
    raw,
    headers: raw.headers,
    method: raw.method,
    url: raw.url,
    originalUrl: raw.url,
    params,
    query,
    body: undefined,
    ip: raw.socket.remoteAddress,
    ips: undefined,
    protocol: 'http',
    host: authority,
    hostname: authority.replace(/:\d+$/, ''),
    socket: raw.socket,
    log,
    routeOptions: { url: route.url, method: raw.method, config: {} },
    is404: false,
    ...extra
  } as unknown as FastifyRequest
}

/** What the shaping of heads asks of a reply: nothing has been set on it. */
export function imagineReply (request: FastifyRequest): FastifyReply {
  const reply = {
    raw: new ServerResponse(request.raw),
    request,
    log: request.log,
    sent: false,
    statusCode: 200,
    code: () => reply,
    header: () => reply,
    hasHeader: () => false,
    getHeader: () => undefined,
    getHeaders: () => ({}),
    removeHeader: () => reply
  }
  return reply as unknown as FastifyReply
}
