import type { Problem } from '../../types/control.ts'
import type { BodyOptions, BodyRewriteOptions, CookieOptions } from '../../types/options.ts'
import { join } from './validate.ts'

/*
 * Faults of a route that no schema can tell: options that cannot all be meant.
 */

type Plain = Record<string, unknown>

/** `true` is an object with nothing in it; and a handshake is a GET (RFC 6455 4.1). */
export function settleWebSocket (own: Plain, merged: Plain, where: string, problems: Problem[]): void {
  if (merged['websocket'] === true) merged['websocket'] = {}
  const { method } = own
  const { websocket } = merged
  if (method === undefined || typeof websocket !== 'object' || websocket === null || Array.isArray(websocket)) return
  if ([method].flat().some((name) => String(name).toUpperCase() === 'GET')) return
  // `defaults` speak to the routes that can.
  if ('websocket' in own) problems.push({ path: join(where, 'websocket'), message: 'needs a route that takes GET; add it to `method`' })
  merged['websocket'] = false
}

export function checkRewrite ({ rewrite, rewriteJson }: BodyOptions, where: string, problems: Problem[]): void {
  if (rewrite === undefined || rewrite === false) return
  const { replace, whole, stream } = rewrite as BodyRewriteOptions
  const path = join(where, 'rewrite')
  if (rewriteJson !== undefined) problems.push({ path, message: 'cannot be given together with `rewriteJson`' })
  const hasFunction = whole !== undefined || stream !== undefined
  if (replace === undefined && !hasFunction) problems.push({ path, message: 'needs `replace`, `whole` or `stream`' })
  if (replace !== undefined && hasFunction) problems.push({ path, message: 'takes `replace`, or `whole` and `stream`, not both' })
}

/** Refuses cookies that browsers would drop without a word. */
export function checkCookies ({ secure, sameSite }: CookieOptions, where: string, problems: Problem[]): void {
  if (sameSite !== 'none' || secure === true) return
  const message = "is 'none', which browsers take from secure cookies only; set `secure: true` beside it"
  problems.push({ path: join(where, 'sameSite'), message })
}
