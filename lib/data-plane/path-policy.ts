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
}

/**
 * Cuts a request target into path and query, or gives null when the policy refuses it.
 * @param encodedSlashes whether `%2F`, `%5C` and `%00` may stand in a path that is otherwise clean
 */
export function parseTarget (target: string, method: string, encodedSlashes: 'forward' | 'reject'): Target | null {
  let authority: string | null = null
  if (target.charCodeAt(0) !== SLASH) {
    if (target === '*') return method === 'OPTIONS' ? { path: '*', query: '', authority: null } : null
    const absolute = /^https?:\/\/([^/?#]+)/i.exec(target)
    if (absolute === null || !isAuthority(absolute[1]!)) return null
    authority = absolute[1]!
    target = target.slice(absolute[0].length)
    // RFC 9112 3.2.4: the last on the way says `*` for this.
    if (target === '' && method === 'OPTIONS') return { path: '*', query: '', authority }
    // RFC 9112 3.2.1: an empty path is '/', a query after it stays.
    if (target.charCodeAt(0) !== SLASH) target = `/${target}`
  }
  const question = target.indexOf('?')
  const path = question === -1 ? target : target.slice(0, question)
  const query = question === -1 ? '' : target.slice(question)
  if (!isCleanPath(path, encodedSlashes) || query.includes('#')) return null
  return { path, query, authority }
}

/** Whether a path may be sent upstream: legal bytes only, no segment that anyone could take for '.' or '..'. */
export function isCleanPath (path: string, encodedSlashes: 'forward' | 'reject'): boolean {
  let isSuspicious = false
  let previous = 0
  for (let index = 0; index < path.length; index++) {
    const char = path.charCodeAt(index)
    // Controls and space, DEL and all that is not ASCII.
    if (char <= 0x20 || char >= 0x7f) return false
    if (char === BACKSLASH || char === HASH || char === QUESTION) return false
    if (char === PERCENT) {
      const byte = decodeByte(path, index)
      if (byte === -1) return false
      if (encodedSlashes === 'reject' && (byte === SLASH || byte === BACKSLASH || byte === 0)) return false
      isSuspicious = true
    } else if (char === DOT && previous === SLASH) {
      isSuspicious = true
    }
    previous = char
  }
  return path.charCodeAt(0) === SLASH && !(isSuspicious && hasDotSegment(path))
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
