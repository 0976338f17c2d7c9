import type { FastifyInstance, FastifyRequest } from 'fastify'
import { symbolIn } from './fastify-symbols.ts'

/*
 * Fastify does not say which hooks a scope has; where it keeps them under another name some day, they are taken to be there.
 */

/** Whether somebody may answer a request of this scope before its exchange is opened. */
export function hasEarlierHooks (scope: FastifyInstance): boolean {
  return countHooks(scope, 'onRequest') !== 0
}

/**
 * Whether somebody sees what is sent to such a request, and may keep it or change it. Asked of the request, since a plugin's onRoute hook gives
 * hooks to a route that neither its scope nor its declaration knows of.
 * @param own name of an onSend hook of ours, which is no somebody
 */
export function hasSendHooks (request: FastifyRequest, own: string): boolean {
  const context = inside(request, 'fastify.context')
  const hooks = (context as { onSend?: { readonly name: string }[] | null } | undefined)?.onSend
  // Fastify binds them.
  return hooks === undefined || (hooks !== null && hooks.some(({ name }) => name !== `bound ${own}`))
}

function countHooks (scope: FastifyInstance, name: string): number | undefined {
  return (inside(scope, 'fastify.hooks') as Record<string, unknown[]> | undefined)?.[name]?.length
}

function inside (object: object, name: string): unknown {
  const place = symbolIn(object, name)
  return place === undefined ? undefined : (object as Record<symbol, unknown>)[place]
}
