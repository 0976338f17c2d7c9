import { Duplex } from 'node:stream'
import type { Exchange, RewritePlan } from '../../../types/model.ts'
import type { BodyFunction, BodyOptions, BodyRewriteOptions, ResponseHead, TextReplacement } from '../../../types/options.ts'
import type { OptionSchema } from '../../../types/policy.ts'
import { checkString, isPromise, isThenable, named, thrownBy, wrongResult } from '../../model/option-result.ts'
import { type BytePair, replaceText, TextStream } from './text.ts'
import { proxyError } from '../../errors.ts'

/** `rewrite` in full; a function and a list of replacements are short for it, see config/normalize.ts. */
export const rewriteSchema: OptionSchema = {
  kind: ['object', 'false'],
  additionalProperties: false,
  properties: {
    replace: { kind: ['replacements'] },
    whole: { kind: ['function'] },
    stream: { kind: ['function'] },
    types: { kind: ['strings'] }
  }
}

/** What is text, and replacing text in it cannot break; and what does not say. */
const textTypes: readonly string[] = [
  '', 'text/*', 'application/json', '*+json', 'application/xml', '*+xml', 'application/javascript', 'application/x-javascript',
  'application/ecmascript', 'application/x-ndjson', 'application/x-www-form-urlencoded'
]

const jsonTypes: readonly string[] = ['application/json', '*+json']

/** What a route's options ask to be done to bodies; null for nothing. */
export function rewritePlan ({ rewrite, rewriteJson, rewriteLimit }: BodyOptions): RewritePlan | null {
  const limit = rewriteLimit!
  if (rewriteJson !== undefined) return { types: jsonTypes, whole: jsonFunction(rewriteJson), stream: null, prefersStream: false, limit }
  if (rewrite === undefined || rewrite === false) return null
  const { replace, whole, stream, types } = rewrite as BodyRewriteOptions
  const own = types?.map((type) => type.toLowerCase()) ?? null
  if (replace !== undefined) {
    return {
      types: own ?? textTypes,
      whole: (body, exchange, head) => replaceText(body, pairsFor(replace, exchange, head)),
      stream: (exchange, head) => new TextStream(pairsFor(replace, exchange, head)),
      prefersStream: true,
      limit
    }
  }
  return { types: own, whole: whole === undefined ? null : awaited('body.rewrite', whole), stream: stream === undefined ? null : checked(stream), prefersStream: false, limit }
}

function jsonFunction (rewriteJson: NonNullable<BodyOptions['rewriteJson']>): BodyFunction {
  return awaited('body.rewriteJson', (body, exchange) => {
    const result: unknown = rewriteJson(parseJson(body), exchange)
    return isThenable(result) ? Promise.resolve(result).then(toJson) : toJson(result)
  })
}

/** A function whose errors name its option, now or later. */
function awaited (option: string, change: BodyFunction): BodyFunction {
  const call = named(option, 'responseBody', change)
  return (body, exchange, head) => {
    const result = call(body, exchange, head)
    return isThenable(result) ? Promise.resolve(result).catch((cause: unknown) => { throw thrownBy(option, cause, 'responseBody') }) : result
  }
}

function parseJson (body: Buffer): unknown {
  const text = body.toString()
  try {
    // A byte order mark is no JSON, and yet some write one (RFC 8259 8.1 lets a reader pass over it).
    return JSON.parse(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text)
  } catch (cause) {
    throw proxyError('http_protocol_error', 'responseBody', cause)
  }
}

function toJson (value: unknown): string {
  let promise: unknown
  // JSON says {} of a promise, wherever in the value it stands. All of them are looked at: each may reject.
  const text: string | undefined = JSON.stringify(value, (_key, member: unknown) => {
    if (isPromise(member)) promise = member
    return member
  })
  if (promise !== undefined) throw wrongResult('body.rewriteJson', 'a value without promises in it', promise)
  if (text === undefined) throw wrongResult('body.rewriteJson', 'what JSON can hold', value)
  return text
}

/** What our side calls is a stream of somebody's making, perhaps of another copy of Node's streams. */
function checked (stream: NonNullable<BodyRewriteOptions['stream']>): NonNullable<RewritePlan['stream']> {
  const make = named('body.rewrite.stream', 'responseBody', stream)
  return (exchange, head) => {
    const made: unknown = make(exchange, head)
    if (made instanceof Duplex || (typeof (made as Duplex | null)?.pipe === 'function' && typeof (made as Duplex).write === 'function')) return made as Duplex
    throw wrongResult('body.rewrite.stream', 'a new Transform or Duplex', made)
  }
}

function replacedBy (find: string, replacement: (exchange: Exchange) => string, exchange: Exchange): string {
  const option = `body.rewrite, the replacement of '${find}'`
  return checkString(option, named(option, 'responseBody', replacement)(exchange))
}

/** Charsets in which a character's bytes are never part of another's; no charset is UTF-8. */
const charsets = new Map<string, BufferEncoding>([['', 'utf8'], ['utf-8', 'utf8'], ['utf8', 'utf8'], ['us-ascii', 'utf8'], ['iso-8859-1', 'latin1'], ['latin1', 'latin1']])

/** The texts as bytes of the body's charset; empty where it is one that we do not know, or cannot say them. */
function pairsFor (replace: readonly TextReplacement[], exchange: Exchange, { headers }: Readonly<ResponseHead>): BytePair[] {
  const charset = /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(String(headers['content-type'] ?? ''))?.[1]?.toLowerCase() ?? ''
  const encoding = charsets.get(charset)
  if (encoding === undefined) return []
  const pairs: BytePair[] = []
  for (const [find, replacement] of replace) {
    const text = typeof replacement === 'string' ? replacement : replacedBy(find, replacement, exchange)
    if (encoding === 'latin1' && /[^\0-\xff]/.test(find + text)) continue
    pairs.push([Buffer.from(find, encoding), Buffer.from(text, encoding)])
  }
  return pairs
}
