import type { FastifyInstance } from 'fastify'

/*
 * Fastify does not say which hooks a scope has; where it keeps them under another name some day, they are taken to be there.
 */

/** Whether somebody may answer a request of this scope before its exchange is opened. */
export function hasEarlierHooks (scope: FastifyInstance): boolean {
  return countHooks(scope, 'onRequest') !== 0
}

/** Whether somebody sees what is sent in this scope, and may keep it or change it. */
export function hasSendHooks (scope: FastifyInstance): boolean {
  return countHooks(scope, 'onSend') !== 0
}

function countHooks (scope: FastifyInstance, name: string): number | undefined {
  const hooks = Object.getOwnPropertySymbols(scope).find(({ description }) => description === 'fastify.hooks')
  return hooks === undefined ? undefined : (scope as unknown as Record<symbol, Record<string, unknown[]>>)[hooks]![name]?.length
}
