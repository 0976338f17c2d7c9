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
 * Whether somebody sees what is sent to such a request, and may keep it or change it. Asked of the request, since a plugin's onRoute hook gives
 * hooks to a route that neither its scope nor its declaration knows of.
 * @param own name of our own onSend hook; it does not count as the app's
 */
export function hasSendHooks (request: FastifyRequest, own: string): boolean {
  const context = inside(request, 'fastify.context')
  const hooks = (context as { onSend?: { readonly name: string }[] | null } | undefined)?.onSend
  // Fastify binds them.
  return hooks === undefined || (hooks !== null && hooks.some(({ name }) => name !== `bound ${own}`))
}

function hooksOf (scope: FastifyInstance, name: string): unknown[] | undefined {
  return (inside(scope, 'fastify.hooks') as Record<string, unknown[] | undefined> | undefined)?.[name]
}

function inside (object: object, name: string): unknown {
  const place = symbolIn(object, name)
  return place === undefined ? undefined : (object as Record<symbol, unknown>)[place]
}
