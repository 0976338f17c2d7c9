import type { Server } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { guardResponses } from './client-errors.ts'
import { refuseConnect } from './connect-refusal.ts'

/*
 * What has to happen between Node and Fastify: by the time a route is found it is too late. Both look at the server that Fastify
 * has made; a second one, for the other address of 'localhost', keeps Node's and Fastify's own ways.
 */

/** Where the target of a request stays that the router was shown otherwise. */
const kReceived: unique symbol = Symbol('sluice.target')

interface Arrived extends IncomingMessage { [kReceived]?: string }

/** Bytes above ASCII in percent-encoding: the only valid ones that may not be UTF-8. */
const encodedHigh = /%(?=[89a-f][0-9a-f])/gi

/**
 * Listens before Fastify does.
 * @param urls of the routes: where one of them may be meant, a target that the router cannot read is shown to it in another form
 */
export function watchArrivals (server: Server, urls: readonly string[]): void {
  guardResponses(server)
  if (server.listenerCount('checkContinue') === 0) server.on('checkContinue', continueWhenRead)
  refuseConnect(server)
  if (urls.length === 0) return
  const fixedParts = urls.map((url) => /^[^:*(]*/.exec(url)![0])
  server.prependListener('request', function makeReadable (request: Arrived) {
    const url = request.url!
    // A target with neither is what nearly everybody sends.
    if (url.charCodeAt(0) === 0x2f && !url.includes('%')) return
    const shown = readable(url, request.method!, fixedParts)
    if (shown === url) return
    request[kReceived] = url
    request.url = shown
  })
}

/**
 * The target as it was received, which the request gets back: once a route is found, nobody needs the other form. What a parameter of
 * such a path is, nobody can say.
 * @returns whether the router was shown another
 */
export function restoreUrl (request: IncomingMessage): boolean {
  const target = (request as Arrived)[kReceived]
  if (target === undefined) return false
  request.url = target
  return true
}

/**
 * Fastify's router answers 400 to `*`, and to percent-encoded bytes that are no UTF-8, which are legal in a path (RFC 3986 2.1). It
 * finds the route of `*` as that of `/`, and takes the percent sign of such a byte for one that was meant literally.
 */
function readable (url: string, method: string, fixedParts: readonly string[]): string {
  if (url === '*') return method === 'OPTIONS' ? '/' : url
  const begin = url.charCodeAt(0) === 0x2f ? 0 : /^https?:\/\/[^/?#]*/i.exec(url)?.[0].length ?? 0
  const question = url.indexOf('?', begin)
  const end = question === -1 ? url.length : question
  const path = url.slice(begin, end)
  if (isUtf8(path) || !fixedParts.some((part) => path.startsWith(part))) return url
  return url.slice(0, begin) + path.replace(encodedHigh, '%25') + url.slice(end)
}

function isUtf8 (path: string): boolean {
  if (!encodedHigh.test(path)) return true
  encodedHigh.lastIndex = 0
  try {
    decodeURI(path)
    return true
  } catch {
    return false
  }
}

/**
 * Node says 100 Continue before anybody has looked at the request. Said when the body is first asked for instead, it means that
 * somebody wants it: auth has let it pass, and an upstream has taken the request. Without it Node closes behind the answer, since
 * nobody knows whether the client still sends the body (RFC 9110 10.1.1, CVE-2024-24791).
 */
function continueWhenRead (this: Server, request: IncomingMessage, response: ServerResponse): void {
  if (request.httpVersionMajor === 1) {
    const { read } = request
    request.read = function readAndContinue (size) {
      request.read = read
      if (response.socket !== null) sayContinue(response)
      // Behind another of a pipeline. Node keeps it until the turn of its response, but puts a head that is given before that in front of it,
      // and it came to stand between the head and the body.
      else response.once('socket', () => { sayContinue(response) })
      return read.call(request, size) as unknown
    }
  } else {
    response.writeContinue()
  }
  this.emit('request', request, response)
}

/** What is left of a body behind its answer is read and dropped: nobody wants that. */
function sayContinue (response: ServerResponse): void {
  if (!response.headersSent) response.writeContinue()
}
