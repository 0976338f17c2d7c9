import type { IncomingMessage } from 'node:http'

/*
 * What `app.inject()` leaves out of a request and its connection, and Node does not: with it, whoever tests an app that way meets the
 * same proxy as its clients do. test/contract/fastify-inject.test.ts holds what is missing.
 */

/** Whether nobody sent it over a connection. Looked at for each request: a field that all others have. */
export function isInjected (raw: IncomingMessage): boolean {
  return raw.rawTrailers === undefined
}

const injected = new WeakSet<IncomingMessage>()

/** The same of one that is furnished. */
export function wasInjected (raw: IncomingMessage): boolean {
  return injected.has(raw)
}

export function furnish (raw: IncomingMessage): void {
  injected.add(raw)
  raw.rawTrailers = []
  // Nothing comes behind it on a connection that is none.
  raw.complete = true
  const end = (): void => {}
  Object.assign(raw.socket, { destroyed: false, errored: null, bytesRead: 0, end, destroy: end })
}
