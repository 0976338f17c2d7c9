import { type Dispatcher, errors } from 'undici'
import { isAuthority } from '../strictness.ts'

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const unwritable = /[^\t\x20-\x7e\x80-\xff]/
const unwritableInPath = /[^\x21-\x7e\x80-\xff]/

/**
 * Checks a request for HTTP/2 as undici checks one for HTTP/1.1 (its lib/core/request.js): Node would drop fields without a word, send
 * them as they are, or take the whole session down.
 * @throws undici's own errors
 */
export function checkRequest ({ method, path, headers }: Dispatcher.DispatchOptions): void {
  if (!token.test(method)) throw invalid('request method')
  if (path.charCodeAt(0) !== 0x2f || unwritableInPath.test(path)) throw invalid('request path')
  const given = (headers ?? {}) as Record<string, unknown>
  let hosts = 0
  let lengths = 0
  for (const name in given) {
    const value = given[name]
    if (value === undefined) continue
    if (typeof value === 'string' ? unwritable.test(value) : !isWritable(value)) throw invalid(`${name} header`)
    if (!token.test(name)) throw invalid('header key')
    switch (name.length) {
      case 2: case 4: case 6: case 7: case 10: case 14: case 17:
        // One of the few names below, perhaps.
        checkMeaning(name.toLowerCase(), value)
        if (name.length === 4 && name.toLowerCase() === 'host') hosts++
        if (name.length === 14 && name.toLowerCase() === 'content-length') lengths++
    }
  }
  if (hosts > 1) throw invalid('host header, of which there are several')
  if (lengths > 1) throw invalid('content-length header, of which there are several')
}

/** Fields that say how the message is to be read, or what is asked of the connection. */
function checkMeaning (name: string, value: unknown): void {
  switch (name) {
    case 'host':
      // It becomes `:authority`; over one that is none an upstream resets the stream, which would pass for a fault of its own.
      if (typeof value !== 'string' || value === '' || !isAuthority(value)) throw invalid('host header')
      break
    case 'content-length':
      if (!/^\d+$/.test(String(value)) || Array.isArray(value)) throw invalid('content-length header')
      break
    case 'te':
      // RFC 9113 8.2.2.
      if (value !== 'trailers') throw invalid('te header')
      break
    case 'connection':
      if (typeof value !== 'string' || value.split(',').some((item) => !token.test(item.trim()))) throw invalid('connection header')
      break
    case 'transfer-encoding':
    case 'keep-alive':
    case 'upgrade':
      throw invalid(`${name} header`)
    case 'expect':
      throw new errors.NotSupportedError('expect header not supported')
  }
}

function isWritable (value: unknown): boolean {
  if (Array.isArray(value)) return value.every((item) => (item === null || typeof item !== 'object') && isWritableText(item))
  return (value === null || typeof value !== 'object') && isWritableText(value)
}

function isWritableText (value: unknown): boolean {
  return value === null || !unwritable.test(`${value as string}`)
}

function invalid (what: string): errors.InvalidArgumentError {
  return new errors.InvalidArgumentError(`invalid ${what}`)
}
