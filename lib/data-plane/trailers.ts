import type { ServerResponse } from 'node:http'
import type { OwnedFields } from '../../types/model.ts'
import { fieldName } from './field-names.ts'
import { isForwardedField, OwnedNames } from './transform/owned-names.ts'

/** As Node takes them, and users see them. */
export type Trailers = Record<string, string | string[]>

/**
 * What must not stand behind a body (RFC 9110 6.5.1): fields that frame, route, authenticate, say how the content is to be read or
 * how the message is to be cached, and those that end at this hop. A recipient that merged them into its head would be deceived.
 */
const forbidden = new Set([
  'transfer-encoding', 'content-length', 'trailer', 'te', 'connection', 'keep-alive', 'upgrade', 'http2-settings', 'alt-svc',
  'host', 'authorization', 'cookie', 'set-cookie', 'www-authenticate', 'authentication-info',
  'content-type', 'content-encoding', 'content-range', 'content-location', 'content-disposition', 'content-language',
  'cache-control', 'pragma', 'age', 'expires', 'date', 'last-modified', 'location', 'retry-after', 'vary', 'warning', 'allow',
  'accept-ranges', 'range', 'expect', 'max-forwards', 'if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'if-range',
  'via', 'forwarded', 'traceparent', 'tracestate', 'baggage', 'early-data', 'strict-transport-security', 'origin'
])

/** Sums over the bytes that the upstream sent. */
const sums: ReadonlySet<string> = new Set(['digest', 'content-digest', 'repr-digest', 'content-md5'])

export function isSum (name: string): boolean {
  return sums.has(name)
}

/** What must not follow a body that was rewritten, or may have been, beside what Connection named. */
export function withSums (connection: string | undefined): string {
  return [connection ?? '', ...sums].join(',')
}

/** As Node refuses them when it writes; a parser may be more lenient than that. */
const unwritable = /[^\t\x20-\x7e\x80-\xff]/

/** True for trailers that an upstream's parser may refuse: ours is more lenient. */
export function hasFaultyTrailer (raw: readonly string[]): boolean {
  return raw.some((item) => unwritable.test(item))
}

/**
 * The trailer fields that travel on, out of pairs as undici or Node hand them over; null for none.
 * @param connection what Connection named in the message's head: it names trailer fields too (RFC 9110 7.6.1)
 */
export function readTrailers (raw: readonly (Buffer | string)[], connection?: string): Trailers | null {
  let trailers: Trailers | null = null
  const nominated = namesIn(connection)
  for (let index = 0; index < raw.length; index += 2) {
    const name = nameOf(raw[index]!)
    if (!travelsOn(name, nominated)) continue
    const value = textOf(raw[index + 1]!)
    if (unwritable.test(value)) continue
    trailers ??= Object.create(null) as Trailers
    const present = trailers[name]
    if (present === undefined) trailers[name] = value
    else if (Array.isArray(present)) present.push(value)
    else trailers[name] = [present, value]
  }
  return trailers
}

/**
 * Names of a Trailer field without those that do not travel on; null for none that do.
 * @param owned of a request: names that are not the client's to say
 */
export function trailerNames (field: string, connection?: string, owned: OwnedFields | null = null): string | null {
  const nominated = namesIn(connection)
  const names = field.split(',').map((name) => name.trim()).filter((name) => {
    const lowerCased = name.toLowerCase()
    return token.test(name) && travelsOn(lowerCased, nominated) && owned?.has(lowerCased) !== true
  })
  return names.length === 0 ? null : names.join(', ')
}

const token = /^[!#$%&'*+.^`|~\w-]+$/

function travelsOn (name: string, nominated: ReadonlySet<string> | null): boolean {
  if (forbidden.has(name) || name.startsWith('proxy-') || (name.startsWith('x') && isForwardedField(name))) return false
  return nominated?.has(name) !== true
}

function namesIn (connection: string | undefined): ReadonlySet<string> | null {
  return connection === undefined ? null : new Set(connection.toLowerCase().split(',').map((name) => name.trim()))
}

/**
 * Has the head of a response over HTTP/1 name the trailers that follow. Node throws over a Trailer in a head that is not chunked, and a
 * hook may have put a body of known length in its place: so it is added when the head is written, and where none can follow left out.
 */
export function announceTrailers (response: ServerResponse, names: string): void {
  if (response.req.httpVersion === '1.0') return
  const { writeHead } = response
  response.writeHead = function writeHeadWithTrailer (this: ServerResponse, statusCode: number, ...rest: unknown[]): ServerResponse {
    this.writeHead = writeHead
    const headers = rest.at(-1)
    const isGiven = typeof headers === 'object' && headers !== null && 'content-length' in headers
    const isLengthGiven = isGiven || this.hasHeader('content-length')
    if (!isLengthGiven && this.req.method !== 'HEAD' && statusCode !== 204 && statusCode !== 304) this.setHeader('trailer', names)
    try {
      return Reflect.apply(writeHead, this, [statusCode, ...rest]) as ServerResponse
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_HTTP_TRAILER_INVALID') throw error
      // Somebody else has said how the body is framed.
      this.removeHeader('trailer')
      return Reflect.apply(writeHead, this, [statusCode, ...rest]) as ServerResponse
    }
  } as ServerResponse['writeHead']
}

/**
 * Takes out of a request's trailers all that its head has said, by us or by the client, and all that is not the client's to say; an
 * upstream that merges trailers into the head, and folds names into variables, would hear it otherwise.
 */
export function dropSaid (trailers: Trailers, head: Readonly<Record<string, unknown>>, owned: OwnedFields | null): void {
  const said = new OwnedNames(Object.keys(head))
  for (const name in trailers) {
    if (said.has(name) || owned?.has(name) === true) delete trailers[name]
  }
}

/**
 * Has an upstream's trailers sent behind the body; before the end of that is written. Whoever speaks HTTP/1.1 can read them (RFC 9112
 * 7.1.2), whether or not it said so in TE; Node leaves them out behind a body with a length.
 * @param connection what Connection named in the response's head
 * @returns whether there are any to send
 */
export function relayTrailers (raw: readonly (Buffer | string)[], connection: string | undefined, response: ServerResponse): boolean {
  if (response.req.httpVersion === '1.0' || response.writableEnded || response.destroyed) return false
  const trailers = readTrailers(raw, connection)
  if (trailers === null) return false
  // Node's types know one value per name, and its code several.
  response.addTrailers(trailers as Record<string, string>)
  return true
}

/** The lines of a chunked body's trailer section, latin1. */
export function trailerLines (trailers: Trailers): string {
  let lines = ''
  for (const name in trailers) {
    for (const value of [trailers[name]!].flat()) lines += `${name}: ${value}\r\n`
  }
  return lines
}

/**
 * Whether one of them says how the message, or what comes behind it, is to be read. None is to be heard (RFC 9110 6.5.1), but to
 * undici's parser it is a field like any of the head, and makes it refuse the next answer of the connection.
 */
export function framesMessage (raw: readonly (Buffer | string)[]): boolean {
  for (let index = 0; index < raw.length; index += 2) {
    const { length } = raw[index]!
    // Lengths first: few names are compared.
    if (length !== 10 && length !== 17) continue
    const name = nameOf(raw[index]!)
    if (name === 'connection' || name === 'transfer-encoding') return true
  }
  return false
}

/**
 * Whether undici's parser gave up over a Content-Length that it found behind the last chunk (test/contract/undici-wire.test.ts). All of
 * the body has come by then (RFC 9112 8); only the trailers are lost.
 * @param statusCode 0 as long as there is no head, in which a length would be a fault indeed
 */
export function isLengthInTrailers (statusCode: number, cause: Error): boolean {
  return statusCode !== 0 && cause.name === 'HTTPParserError' && cause.message.includes("(Content-Length can't be present with Transfer-Encoding)")
}

function nameOf (bytes: Buffer | string): string {
  return typeof bytes === 'string' ? bytes.toLowerCase() : fieldName(bytes)
}

function textOf (bytes: Buffer | string): string {
  return typeof bytes === 'string' ? bytes : bytes.toString('latin1')
}
