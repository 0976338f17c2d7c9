/**
 * The native part of a session or stream of node:http2, while it has one. Node keeps it under a symbol that it does not export
 * (test/contract/http2-handles.test.ts); undefined where it keeps it otherwise some day.
 */
export function handleOf (object: object): object | undefined {
  kHandle ??= Object.getOwnPropertySymbols(object).find(({ description }) => description === 'kHandle')
  return kHandle === undefined ? undefined : (object as Record<symbol, object | undefined>)[kHandle]
}

let kHandle: symbol | undefined

/**
 * Keeps a session until the garbage collector has taken a stream of it whose head may be half-read. Such a stream holds memory that was
 * allocated in the name of its session, and Node aborts the process where the session is collected first (`current_nghttp2_memory_ == 0`):
 * an upstream whose head has more CONTINUATION frames than nghttp2 takes could do that. The sessions and streams of JavaScript do not keep
 * their handles once they are closed, so these have to be held themselves.
 */
export function keepUntilCollected (session: object | undefined, stream: object | undefined): void {
  if (session !== undefined && stream !== undefined) sessions.register(stream, session)
}

/** Nothing is left to do for a stream that was collected: its entry held the session, and is gone. */
const sessions = new FinalizationRegistry<object>(() => {})
