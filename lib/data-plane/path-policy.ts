import { isAuthority } from './strictness.ts'

/*
 * The path policy, on the raw string: no URL parser comes near it, because every one of them "repairs" something (GHSA-vp2r-3vgv-32g9:
 * backslashes become slashes after the check for '..' was made). One policy for every way in.
 */

const SLASH = 0x2f
const BACKSLASH = 0x5c
const PERCENT = 0x25
const DOT = 0x2e
const SEMICOLON = 0x3b
const HASH = 0x23
const QUESTION = 0x3f

/** Where a request target is cut, or what is wrong with it. */
export interface Target {
  readonly path: string
  /** With its '?'; '' for none. */
  readonly query: string
  /** Authority of an absolute-form target, which outranks Host (RFC 9112 3.2.2); null otherwise. */
  readonly authority: string | null
  /** True for empty segments, encoded slashes or backslashes, and matrix parameters: some reader may take the path for another. */
  readonly hasTwoReadings: boolean
}

/** Judgements of a path, from bad to good. */
type Verdict = 'refused' | 'ambiguous' | 'plain'

/**
 * Cuts a request target into path and query, or gives null when the policy refuses it.
 * @param encodedSlashes whether `%2F`, `%5C` and `%00` may stand in a path that is otherwise clean
 */
export function parseTarget (target: string, method: string, encodedSlashes: 'forward' | 'reject'): Target | null {
  let authority: string | null = null
  if (target.charCodeAt(0) !== SLASH && target !== '*') {
    const absolute = splitAbsolute(target, method)
    if (absolute === null) return null
    authority = absolute.authority
    target = absolute.rest
  }
  if (target === '*') return method === 'OPTIONS' ? { path: '*', query: '', authority, hasTwoReadings: false } : null
  const question = target.indexOf('?')
  const path = question === -1 ? target : target.slice(0, question)
  const query = question === -1 ? '' : target.slice(question)
  const verdict = inspect(path, encodedSlashes)
  if (verdict === 'refused' || query.includes('#')) return null
  return { path, query, authority, hasTwoReadings: verdict === 'ambiguous' }
}

/** The authority of an absolute-form target, and the target in origin-form or as `*`; null where it is none, or its authority is none. */
export function splitAbsolute (target: string, method: string): { authority: string, rest: string } | null {
  const absolute = /^https?:\/\/([^/?#]+)/i.exec(target)
  if (absolute === null || !isAuthority(absolute[1]!)) return null
  const authority = absolute[1]!
  const rest = target.slice(absolute[0].length)
  // RFC 9112 3.2.4: the last on the way says `*` for this.
  if (rest === '' && method === 'OPTIONS') return { authority, rest: '*' }
  // RFC 9112 3.2.1: an empty path is '/', a query after it stays.
  return { authority, rest: rest.charCodeAt(0) === SLASH ? rest : `/${rest}` }
}

/** Bytes above ASCII in percent-encoding: the only valid ones that may not be UTF-8. */
const encodedHigh = /%(?=[89a-f][0-9a-f])/gi

/**
 * A path as Fastify's router can read it, which answers 400 to percent-encoded bytes that are no UTF-8; they are legal (RFC 3986 2.1).
 * The percent sign of such a byte is taken for one that was meant literally.
 */
export function asRouted (path: string): string {
  return isUtf8(path) ? path : path.replace(encodedHigh, '%25')
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

/** Whether a path may be sent upstream: legal bytes only, no segment that anyone could take for '.' or '..'. */
export function isCleanPath (path: string, encodedSlashes: 'forward' | 'reject'): boolean {
  return inspect(path, encodedSlashes) !== 'refused'
}

function inspect (path: string, encodedSlashes: 'forward' | 'reject'): Verdict {
  let isSuspicious = false
  let isAmbiguous = false
  let previous = 0
  for (let index = 0; index < path.length; index++) {
    const char = path.charCodeAt(index)
    // Controls and space, DEL and all that is not ASCII.
    if (char <= 0x20 || char >= 0x7f) return 'refused'
    if (char === BACKSLASH || char === HASH || char === QUESTION) return 'refused'
    if (char === PERCENT) {
      const byte = decodeByte(path, index)
      if (byte === -1) return 'refused'
      if (encodedSlashes === 'reject' && (byte === SLASH || byte === BACKSLASH || byte === 0)) return 'refused'
      if (byte === SLASH || byte === BACKSLASH) isAmbiguous = true
      isSuspicious = true
    } else if (previous === SLASH) {
      if (char === DOT) isSuspicious = true
      else if (char === SLASH) isAmbiguous = true
    }
    if (char === SEMICOLON) isAmbiguous = true
    previous = char
  }
  if (path.charCodeAt(0) !== SLASH || (isSuspicious && hasDotSegment(path))) return 'refused'
  return isAmbiguous ? 'ambiguous' : 'plain'
}

/**
 * Whether some reader could see a dot segment: percent-decoded once, slashes and backslashes that were encoded taken for
 * separators, and what follows a ';' or NUL left out, as Tomcat and Jetty do (CVE-2026-127060: `/..;/`).
 */
function hasDotSegment (path: string): boolean {
  /** Dots so far; -1 once anything else stands in the segment. */
  let dots = 0
  let isCutOff = false
  for (let index = 0; index < path.length; index++) {
    let char = path.charCodeAt(index)
    if (char === PERCENT) {
      char = decodeByte(path, index)
      index += 2
    }
    if (char === SLASH || char === BACKSLASH) {
      if (dots === 1 || dots === 2) return true
      dots = 0
      isCutOff = false
    } else if (isCutOff) {
      continue
    } else if (char === SEMICOLON || char === 0) {
      isCutOff = true
    } else if (char === DOT && dots !== -1) {
      dots++
    } else {
      dots = -1
    }
  }
  return dots === 1 || dots === 2
}

/** The byte of `%XX` at `index`, or -1. */
function decodeByte (text: string, index: number): number {
  const high = hexDigit(text.charCodeAt(index + 1))
  const low = hexDigit(text.charCodeAt(index + 2))
  return high === -1 || low === -1 ? -1 : high * 16 + low
}

/** NaN, past the end of the string, is no digit. */
function hexDigit (char: number): number {
  if (char >= 0x30 && char <= 0x39) return char - 0x30
  const lower = char | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}
