import { Readable } from 'node:stream'
import type { Payload } from '../model/exchange.ts'

/* What a response head tells of the content behind it. */

type Headers = Record<string, string | string[]>

/** Whether the head is all there is of a response (RFC 9112 6.3). */
export function hasNoBody (statusCode: number): boolean {
  return statusCode === 304 || statusCode === 204
}

/** Bytes that the head promises; NaN where it does not say, 0 where it speaks of a body that does not come. */
export function announcedLength (method: string, statusCode: number, headers: Headers): number {
  return method === 'HEAD' || hasNoBody(statusCode) ? 0 : Number(headers['content-length'])
}

/** What Fastify takes for a content type, and so leaves alone; upstreams send others, empty ones and several too. */
export function isMediaType (type: string | string[] | undefined): boolean {
  return typeof type === 'string' && mediaType.test(type)
}

const mediaType = /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+\s*(?:;|$)/

/** Server-sent events, with whatever parameters; the names of types know no case (RFC 9110 8.3.1). */
export function isEventStream (type: string | string[] | undefined): boolean {
  return typeof type === 'string' && eventStream.test(type)
}

const eventStream = /^text\/event-stream\s*(?:;|$)/i

/** A 205 has no content (RFC 9110 15.3.6); what an upstream sends with it all the same is not passed on. */
export function withoutContent (headers: Headers, payload: Payload): undefined {
  for (const name of ['content-length', 'content-type', 'content-encoding']) {
    if (headers[name] !== undefined) delete headers[name]
  }
  if (payload instanceof Readable) payload.destroy()
}
