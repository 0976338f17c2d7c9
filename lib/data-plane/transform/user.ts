import type { Exchange } from '../../../types/model.ts'
import type { RequestHead, ResponseHead } from '../../../types/options.ts'
import type { Transform } from '../../../types/policy.ts'
import { checkSynchronous, quieten, thrownBy, wrongValue } from '../../model/option-result.ts'
import { proxyError } from '../../errors.ts'

type Headers = Record<string, unknown>

/** The user's own function, which has the last word. It may have put anything into the head. */
export class UserTransform<Head extends RequestHead | ResponseHead> implements Transform<Head> {
  readonly #option: string
  readonly #shape: (head: Head, exchange: Exchange) => unknown

  constructor (option: 'onProxyRequest' | 'onProxyResponse', shape: (head: Head, exchange: Exchange) => unknown) {
    this.#option = option
    this.#shape = shape
  }

  apply (head: Head, exchange: Exchange): void {
    try {
      this.#apply(head, exchange)
    } catch (cause) {
      quieten(head)
      quieten(Object(head.headers) as object)
      throw thrownBy(this.#option, cause, this.#option === 'onProxyRequest' ? 'select' : 'responseHeaders')
    }
  }

  #apply (head: Head, exchange: Exchange): void {
    checkSynchronous(this.#option, this.#shape(head, exchange))
    checkLine(this.#option, head)
    const headers = head.headers as Headers | null
    if (typeof headers !== 'object' || headers === null || Array.isArray(headers)) throw wrongPart(this.#option, 'headers', 'an object', headers)
    for (const name in headers) {
      if (isValue(headers[name])) continue
      // A copy: the object may be the user's own, shared and frozen.
      head.headers = settled(this.#option, headers)
      return
    }
  }
}

/** The request line or the status line. */
function checkLine (option: string, { statusCode, method, path }: Partial<RequestHead & ResponseHead>): void {
  if (option === 'onProxyResponse') {
    if (!isStatus(statusCode)) throw wrongPart(option, 'statusCode', 'a status from 200 to 999', statusCode)
    return
  }
  if (typeof method !== 'string') throw wrongPart(option, 'method', 'a string', method)
  if (typeof path !== 'string') throw wrongPart(option, 'path', 'a string', path)
  // A text may be the client's. CONNECT would open a tunnel past everything that holds for a request (RFC 9110 9.3.6), and undici takes a URL for a path.
  if (method.toUpperCase() === 'CONNECT') throw invalid('CONNECT is not forwarded')
  // RFC 9112 3.2.4.
  if (path === '*' && method !== 'OPTIONS') throw invalid('the asterisk is for OPTIONS alone')
  if (!path.startsWith('/') && path !== '*') throw invalid(`the path that ${option} has left does not begin with a slash`)
}

/** An upstream may have sent one above 599; those of a head that another follows are none of an answer. */
function isStatus (value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 200 && (value as number) <= 999
}

function invalid (reason: string): Error {
  return proxyError('http_request_error', 'select', new Error(reason))
}

function isValue (value: unknown): boolean {
  return typeof value === 'string' || (Array.isArray(value) && value.every((item) => typeof item === 'string'))
}

/**
 * Numbers and the like become text, null an empty one, and undefined takes a field out, as JavaScript is mostly written. undici blames the client for
 * an object, and neither undici nor Node handles the rejection of a promise.
 */
function settled (option: string, headers: Headers): Record<string, string | string[]> {
  const result: Record<string, string | string[]> = {}
  for (const name in headers) {
    const value = headers[name]
    if (Array.isArray(value)) result[name] = value.map((item: unknown) => textOf(option, name, item))
    else if (value !== undefined) result[name] = textOf(option, name, value)
  }
  return result
}

function textOf (option: string, name: string, item: unknown): string {
  if (item === null) return ''
  if (typeof item !== 'object' && typeof item !== 'function' && typeof item !== 'symbol' && item !== undefined) return String(item)
  throw wrongPart(option, `headers['${name}']`, 'a string or a list of strings', item)
}

function wrongPart (option: string, part: string, wanted: string, value: unknown): TypeError {
  return wrongValue(`\`head.${part}\`, as \`${option}\` has left it,`, wanted, value)
}
