import type { FastifyInstance, FastifyRequest } from 'fastify'
import { symbolIn } from './fastify-symbols.ts'

/*
 * Fastify does not say which hooks a scope has; where it keeps them under another name some day, they are taken to be there.
 */

/** Hooks of a request. One that sees answers alone may be a guard as well: it takes something out of them, or keeps a record. */
const guarding = [
  'onRequest', 'preParsing', 'preValidation', 'preHandler', 'preSerialization', 'onSend', 'onResponse', 'onTimeout', 'onError', 'onRequestAbort'
] as const

/** Our own hooks on routes, which guard nothing on the app's behalf. */
const own = new WeakSet<object>()

/** The name of our own onSend hook; no other function has it, in a minified bundle either. */
const SEND_HOOK = 'fastify-sluice.onSend'

/** Marks an onSend hook as ours, which does not count as the app's. */
export function ownSendHook<Hook extends object> (hook: Hook): Hook {
  return Object.defineProperty(hook, 'name', { value: SEND_HOOK })
}

/** Marks a hook as one of ours. */
export function ownHook<Hook extends object> (hook: Hook): Hook {
  own.add(hook)
  return hook
}

/** Whether somebody may answer a request of this scope before its exchange is opened. */
export function hasEarlierHooks (scope: FastifyInstance): boolean {
  return hooksOf(scope, 'onRequest')?.length !== 0
}

/**
 * The app's hooks that a request to a route passes: those of its scope and its own; null where Fastify does not tell.
 * @param options of the route, with what other plugins have added to them
 */
export function guardingHooks (scope: FastifyInstance, options: Readonly<Record<string, unknown>>): ReadonlySet<unknown> | null {
  const hooks = new Set<unknown>()
  for (const name of guarding) {
    const ofScope = hooksOf(scope, name)
    if (ofScope === undefined) return null
    for (const hook of [...ofScope, ...[options[name] ?? []].flat() as unknown[]]) {
      if (!own.has(hook as object)) hooks.add(hook)
    }
  }
  return hooks
}

/**
 * True where somebody sees the answers to such a request, and may keep or change them. The request is asked, since a plugin's onRoute hook
 * gives hooks to a route that neither its scope nor its declaration knows of.
 */
export function hasSendHooks (request: FastifyRequest): boolean {
  const context = inside(request, 'fastify.context')
  const hooks = (context as { onSend?: { readonly name: string }[] | null } | undefined)?.onSend
  // Fastify binds them: a mark on the function would be lost, its name is not.
  return hooks === undefined || (hooks !== null && hooks.some(({ name }) => name !== `bound ${SEND_HOOK}`))
}

function hooksOf (scope: FastifyInstance, name: string): unknown[] | undefined {
  return (inside(scope, 'fastify.hooks') as Record<string, unknown[] | undefined> | undefined)?.[name]
}

function inside (object: object, name: string): unknown {
  const place = symbolIn(object, name)
  return place === undefined ? undefined : (object as Record<symbol, unknown>)[place]
}
