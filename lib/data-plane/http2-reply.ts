import type { IncomingMessage, ServerResponse } from 'node:http'
import { constants, type Http2ServerRequest, type Http2ServerResponse, type ServerHttp2Stream } from 'node:http2'
import type { ResponseHead } from '../../types/options.ts'
import { fitToHttp2 } from './http2-fields.ts'
import { proxyError } from '../errors.ts'

/*
 * What is different about a client that speaks HTTP/2. Fastify types its raw response as that of HTTP/1; here it is what it is.
 */

type Headers = Record<string, string | string[]>

export function isHttp2 (raw: ServerResponse): boolean {
  return raw.req.httpVersionMajor === 2
}

export function streamOf (raw: ServerResponse): ServerHttp2Stream {
  return (raw as unknown as Http2ServerResponse).stream
}

/**
 * Ends a stream in a way that cannot be taken for its end (RFC 9113 8.1). Not by `destroy()`, which resets with NO_ERROR: to Node's
 * own client, among others, that is an orderly end. No END_STREAM goes before it, since Node's responses wait for trailers first.
 */
export function resetStream (raw: ServerResponse): void {
  const stream = streamOf(raw)
  // One that the client has reset takes no code any more.
  if (stream.closed) stream.destroy()
  else stream.close(constants.NGHTTP2_INTERNAL_ERROR)
}

/**
 * Lets a stream go when its client resets it with NO_ERROR. Node keeps it, and its session, until all of the answer is written, which now
 * never is; and of a stream whose answer has been ended it tells nothing but that its timeout is taken off (test/contract/http2.test.ts).
 */
export function letGoWhenReset (stream: ServerHttp2Stream): void {
  stream.setTimeout = setTimeoutOrLetGo
}

function setTimeoutOrLetGo (this: ServerHttp2Stream, ms: number, callback?: () => void): unknown {
  // Not at once: Node is about to end it.
  if (ms === 0 && this.closed && this.rstCode === constants.NGHTTP2_NO_ERROR) setImmediate(letGo, this)
  return prototypeOf(this).setTimeout.call(this, ms, callback)
}

function prototypeOf (stream: ServerHttp2Stream): ServerHttp2Stream {
  return Object.getPrototypeOf(stream) as ServerHttp2Stream
}

function letGo (stream: ServerHttp2Stream): void {
  // One that has written all is closed by Node, and one that was closed by us still has its reset to send.
  if (!stream.writableFinished) stream.destroy()
}

/** ms between two looks at a stream whose end has not gone out. */
const END_LOOK = 10

/**
 * Has a stream end with its answer, also where the client still sends: no error, only nothing to go on for (RFC 9113 8.1). Not before
 * END_STREAM has gone out, which Node sends some time after 'finish' (test/contract/http2.test.ts): without it the answer would be cut.
 */
export function endBehindAnswer (raw: ServerResponse): void {
  const stream = streamOf(raw)
  function look (): void {
    if (stream.closed || stream.destroyed) return
    const { localClose, remoteClose } = stream.state
    if (localClose !== 1) setTimeout(look, END_LOOK).unref()
    else if (remoteClose !== 1) stream.close(constants.NGHTTP2_NO_ERROR)
  }
  stream.once('finish', () => { setImmediate(look) })
}

/** Whether a request is its head alone; what frames a body in HTTP/2 is no field but a flag (RFC 9113 8.1). */
export function endsWithHead (raw: IncomingMessage): boolean {
  return (raw as unknown as Http2ServerRequest).stream.endAfterHeaders
}

/** Whether the response has gone out whole. A stream that was cancelled counts as finished, too; only its code tells. */
export function hasEnded (raw: ServerResponse): boolean {
  const stream = streamOf(raw)
  return raw.writableEnded && stream.writableFinished && stream.rstCode === constants.NGHTTP2_NO_ERROR
}

/**
 * Makes a response of an upstream one that HTTP/2 can carry.
 * @throws ProxyError `http_protocol_error` for a status above 599: RFC 9110 15 has none, and Node sends none over HTTP/2
 */
export function fitReply (raw: ServerResponse, { statusCode, headers }: ResponseHead, isHeadOnly: boolean): void {
  if (statusCode > 599) throw proxyError('http_protocol_error', 'responseHeaders', new Error(`there is no status ${statusCode}`))
  fitToHttp2(headers)
  if (isHeadOnly) joinHeadAndEnd(raw)
}

/**
 * Lets a response without a body end with its head (END_STREAM on HEADERS). Fastify writes the head first, and Node would send
 * it at once and an empty DATA frame after it; a status of gRPC in the head only counts where nothing follows (gRPC over HTTP/2,
 * Trailers-Only).
 */
export function joinHeadAndEnd (raw: ServerResponse): void {
  raw.writeHead = keepHead as unknown as ServerResponse['writeHead']
}

function keepHead (this: ServerResponse, statusCode: number, headers: Headers): ServerResponse {
  this.statusCode = statusCode
  for (const name in headers) this.setHeader(name, headers[name]!)
  // The prototype's again: `end` writes the head by it.
  delete (this as Partial<ServerResponse>).writeHead
  return this
}
