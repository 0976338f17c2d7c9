import type { ServerResponse } from 'node:http'
import type { Payload } from '../model/exchange.ts'
import { isMediaType } from './content.ts'
import { isHttp2 } from './http2-reply.ts'
import { type BodySource, ResponseBody } from './response-body.ts'

/** What is handed to Fastify of a body that is all there: a buffer if it may be one. */
export function wholePayload (source: BodySource & { readonly hasTrailers: boolean }, headers: Record<string, string | string[]>, chunks: Buffer[] | null, raw: ServerResponse): Payload {
  // Fastify makes up a content type for buffers, and a length, which trailers over HTTP/1.1 have no place behind; not for streams.
  if ((chunks !== null && !isMediaType(headers['content-type'])) || (source.hasTrailers && !isHttp2(raw))) {
    const body = new ResponseBody(source, chunks ?? [])
    body.finish()
    return body
  }
  if (chunks === null) return undefined
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
}
