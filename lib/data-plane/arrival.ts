import type { Server } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { guardResponses } from './client-errors.ts'
import { endOf, fold, type Matching } from './route-path.ts'

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
 * @returns what is done to a request before the router sees it, for those that come another way
 */
export function watchArrivals (server: Server, urls: readonly string[], matching: Matching): (request: IncomingMessage) => void {
  guardResponses(server)
  if (server.listenerCount('checkContinue') === 0) server.on('checkContinue', continueWhenRead)
  const readable = readableFor(urls, matching)
  function makeReadable (request: Arrived): void {
    const url = request.url!
    // A target with neither is what nearly everybody sends.
    if (url.charCodeAt(0) === 0x2f && !url.includes('%')) return
    const shown = readable(url, request.method!)
    if (shown === url) return
    request[kReceived] = url
    request.url = shown
  }
  if (urls.length > 0) server.prependListener('request', makeReadable)
  return makeReadable
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
 * @returns the target in the form that the router is shown
 */
export function readableFor (urls: readonly string[], matching: Matching): (target: string, method: string) => string {
  const fixedParts = urls.map((url) => fold(/^[^:*(]*/.exec(url)![0], matching))
  return function readable (target, method) {
    if (target === '*') return method === 'OPTIONS' ? '/' : target
    const begin = target.charCodeAt(0) === 0x2f ? 0 : /^https?:\/\/[^/?#]*/i.exec(target)?.[0].length ?? 0
    const question = target.indexOf('?', begin)
    const received = target.slice(begin, question === -1 ? target.length : question)
    const path = received.slice(0, endOf(received, matching))
    if (isUtf8(path)) return target
    const folded = fold(path, matching)
    if (!fixedParts.some((part) => folded.startsWith(part))) return target
    return target.slice(0, begin) + path.replace(encodedHigh, '%25') + target.slice(begin + path.length)
  }
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
