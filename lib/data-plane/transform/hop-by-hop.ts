/*
 * Which fields end at this hop, in both directions (RFC 9110 7.6.1). They go first, before anything of ours is added, so that
 * no client can name ours in Connection and have them dropped (CVE-2026-33805).
 */

import type { OwnedFields } from '../../../types/model.ts'
import { proxyError } from '../../errors.ts'
import { fieldName } from '../field-names.ts'
import { isForwardedMisspelt } from './owned-names.ts'
import { trailerNames } from '../trailers.ts'

/** Where a response's Connection stays, if it names fields: trailers come later, and may be among them. A symbol is no header to anyone. */
const kNominated: unique symbol = Symbol('sluice.nominated')

/** Carries a response's Trailer until its head is written: only then it is known if any can follow. */
const kAnnounced: unique symbol = Symbol('sluice.announced')

type Headers = Record<string, string | string[]> & { [kNominated]?: string, [kAnnounced]?: string }

type Received = NodeJS.Dict<string | string[]>

const requestFields = new Set([
  'connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization', 'te', 'trailer',
  'transfer-encoding', 'upgrade', 'http2-settings', 'alt-svc', 'expect'
])

const responseFields = new Set([
  'connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'te', 'trailer', 'transfer-encoding', 'upgrade',
  'http2-settings', 'alt-svc'
])

/** Fields that stay whatever Connection says: they frame and address the message. */
const protectedFields = new Set(['host', 'content-length'])

/**
 * The client's end-to-end fields, without Host, which is the endpoint's or set by a transform. Names are lower-cased by Node. What is
 * not copied need not be deleted: an object that something was deleted from is a slow one, here and for undici after us.
 * @param owned names of the route that no client may say otherwise spelt
 * @param hasTrailers whether trailers of the client's would travel on behind the body
 */
export function copyRequestHeaders (received: Received, owned: OwnedFields | null = null, hasTrailers: boolean = false): Headers {
  const headers: Headers = {}
  for (const name in received) {
    // Pseudo-fields of HTTP/2 begin with a colon; `proxy-*` is spoken to this hop.
    const first = name.charCodeAt(0)
    if (first === 0x3a || requestFields.has(name) || (first === 0x70 && name.startsWith('proxy-')) || name === 'host') {
      if (name === 'trailer' && hasTrailers) announce(headers, received, owned)
      continue
    }
    if ((first === 0x78 && isForwardedMisspelt(name)) || (owned !== null && owned.isMisspelt(name))) continue
    headers[name] = received[name]!
  }
  if (received['transfer-encoding'] !== undefined) delete headers['content-length']
  dropNominated(headers, received['connection'])
  const { te } = received
  // The one thing in TE that travels on: whether trailers are welcome. Whoever sends TE must name it in Connection (RFC 9110 10.1.4).
  if (te !== undefined && hasToken(String(te), 'trailers')) headers['te'] = 'trailers'
  return headers
}

/** Trailer goes with those that it names: behind a body of known length there are none (RFC 9110 6.6.1). */
function announce (headers: Headers, { trailer, connection, 'content-length': length }: Received, owned: OwnedFields | null): void {
  if (length !== undefined) return
  const names = trailerNames(String(trailer), connection === undefined ? undefined : String(connection), owned)
  if (names !== null) headers['trailer'] = names
}

/** The upstream's end-to-end fields, from undici's pairs of buffers; bytes above ASCII come through as they are (latin1). */
export function copyResponseHeaders (raw: readonly Buffer[], statusCode: number = 200): Headers {
  const headers: Headers = {}
  let connection: string | undefined
  let coding: string | undefined
  let trailer: string | undefined
  let upgrade: string | undefined
  for (let index = 0; index < raw.length; index += 2) {
    const name = fieldName(raw[index]!)
    if (responseFields.has(name)) {
      if (name === 'connection') {
        const tokens = raw[index + 1]!.toString('latin1')
        connection = connection === undefined ? tokens : `${connection},${tokens}`
      } else if (name === 'transfer-encoding') {
        const value = raw[index + 1]!.toString('latin1')
        coding = coding === undefined ? value : `${coding}, ${value}`
        checkCoding(coding)
      } else if (name === 'trailer') {
        const value = raw[index + 1]!.toString('latin1')
        trailer = trailer === undefined ? value : `${trailer}, ${value}`
      } else if (name === 'upgrade' && statusCode === 426) {
        const value = raw[index + 1]!.toString('latin1')
        upgrade = upgrade === undefined ? value : `${upgrade}, ${value}`
      }
      continue
    }
    const value = raw[index + 1]!.toString('latin1')
    const present = headers[name]
    if (typeof present === 'string') headers[name] = [present, value]
    else if (Array.isArray(present)) present.push(value)
    // Not `undefined` alone: a field may be called 'constructor', which every object has.
    else headers[name] = value
  }
  if (connection !== undefined && !isCommon(connection)) {
    dropNominated(headers, connection)
    Object.defineProperty(headers, kNominated, { value: connection })
  }
  if (trailer !== undefined) Object.defineProperty(headers, kAnnounced, { value: trailer })
  // RFC 9110 15.5.22 asks it of whoever says 426: without it a client does not know what is required.
  if (upgrade !== undefined) headers['upgrade'] = upgrade
  return headers
}

/** Puts back what a 304 said of its length; see pool/head-sieve.ts. */
export function restoreLength (headers: Headers, { hiddenLength }: { readonly hiddenLength?: string | null }): void {
  if (hiddenLength !== undefined && hiddenLength !== null) headers['content-length'] = hiddenLength
}

/** What the Connection of a response named, as far as it was not common. */
export function nominatedBy (headers: Headers): string | undefined {
  return headers[kNominated]
}

/** The Trailer of a response. */
export function announcedBy (headers: Headers): string | undefined {
  return headers[kAnnounced]
}

/**
 * The parser takes off chunks and leaves every other coding on the body; passed on without its name, the client would take it for
 * content (RFC 9112 6.1).
 */
function checkCoding (codings: string): void {
  if (codings.toLowerCase() !== 'chunked') {
    throw proxyError('http_protocol_error', 'responseHeaders', new Error(`the transfer coding ${JSON.stringify(codings)} is not one that we asked for`))
  }
}

/** The protocols that a response names in Upgrade. */
export function upgradeOf (raw: readonly Buffer[]): string {
  const values: string[] = []
  for (let index = 0; index < raw.length; index += 2) {
    if (fieldName(raw[index]!) === 'upgrade') values.push(raw[index + 1]!.toString('latin1'))
  }
  return values.join(', ')
}

function dropNominated (headers: Headers, connection: string | string[] | undefined): void {
  if (connection === undefined || isCommon(connection)) return
  for (const token of String(connection).toLowerCase().split(',')) {
    const name = token.trim()
    if (!protectedFields.has(name)) delete headers[name]
  }
}

/** What nearly everybody sends names no field. */
function isCommon (connection: string | string[]): boolean {
  return connection === 'keep-alive' || connection === 'close' || connection === 'Keep-Alive'
}

function hasToken (list: string, token: string): boolean {
  return list.toLowerCase().split(',').some((item) => item.split(';', 1)[0]!.trim() === token)
}
