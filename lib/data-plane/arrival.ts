import type { Server } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { guardResponses } from './client-errors.ts'
import { refuseConnect } from './connect-refusal.ts'
import { lingering } from './lingering.ts'
import { asRouted, splitAbsolute } from './path-policy.ts'
import { endOf, fold, type Matching } from './route-path.ts'

/*
 * What has to happen between Node and Fastify: by the time a route is found it is too late. Both look at the server that Fastify
 * has made; a second one, for the other address of 'localhost', keeps Node's and Fastify's own ways.
 */

/** Where the target of a request stays that the router was shown otherwise. */
const kReceived: unique symbol = Symbol('sluice.target')

interface Arrived extends IncomingMessage { [kReceived]?: string }

/**
 * Listens before Fastify does.
 * @param urls of the routes: where one of them may be meant, a target that the router cannot read is shown to it in another form
 * @returns what is done to a request before the router sees it, for those that come another way
 */
export function watchArrivals (server: Server, urls: readonly string[], matching: Matching): (request: IncomingMessage) => void {
  guardResponses(server)
  if (server.listenerCount('checkContinue') === 0) server.on('checkContinue', continueWhenRead)
  refuseConnect(server)
  const fixedParts = urls.map((url) => fold(/^[^:*(]*/.exec(url)![0], matching))
  function settleTarget (request: Arrived): void {
    if (request.httpVersionMajor === 2) settleHost(request)
    const isOriginForm = request.url!.charCodeAt(0) === 0x2f
    // A target with neither is what nearly everybody sends.
    if (isOriginForm && !request.url!.includes('%')) return
    if (!isOriginForm) settleAuthority(request)
    const url = request.url!
    const shown = shownForm(url, request.method!, fixedParts, matching)
    if (shown === url) return
    request[kReceived] = url
    request.url = shown
  }
  server.prependListener('request', function arrive (request: Arrived, response: ServerResponse) {
    // An early answer of anybody's may end the connection: of a hook, too, that comes before ours.
    if (request.method !== 'GET' && request.method !== 'HEAD') lingering.expect(response)
    settleTarget(request)
  })
  return settleTarget
}

/**
 * Puts the authority of an absolute-form target in the place of Host (RFC 9112 3.2.2). Before a route is found: constraints, hooks, X-Forwarded-Host
 * and the upstream then agree on the host. A target that is refused later has its user information taken out: Fastify logs it before any hook runs.
 */
export function settleAuthority (request: Pick<IncomingMessage, 'httpVersionMajor' | 'url' | 'method' | 'headers'>): void {
  const absolute = request.httpVersionMajor === 1 ? splitAbsolute(request.url!, request.method!) : null
  if (absolute === null) {
    request.url = request.url!.replace(userInformation, (_all, scheme: string, rest: string) => `${scheme}***@${/[/?#]/.test(rest) ? rest : `${rest}/`}`)
    return
  }
  request.headers.host = absolute.authority
  request.url = absolute.rest
}

/** A password may have a slash in it. The router finds no route for a target without any. */
const userInformation = /^([a-z][a-z0-9+.-]*:\/\/).*@(.*)$/i

/** A Host beside the authority may differ in case, and is the one that a router reads (RFC 9113 8.3.1); others are refused later. */
function settleHost ({ headers }: Arrived): void {
  const authority = headers[':authority'] as string | undefined
  if (headers.host !== undefined && authority !== undefined) headers.host = authority
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

/** The form in which the router finds a route for `*` and for bytes that are no UTF-8, where one of ours may be meant. */
function shownForm (url: string, method: string, fixedParts: readonly string[], matching: Matching): string {
  if (url === '*') return method === 'OPTIONS' ? '/' : url
  const question = url.indexOf('?')
  const received = question === -1 ? url : url.slice(0, question)
  const path = received.slice(0, endOf(received, matching))
  const shown = asRouted(path)
  if (shown === path) return url
  const folded = fold(path, matching)
  return fixedParts.some((part) => folded.startsWith(part)) ? shown + url.slice(path.length) : url
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
