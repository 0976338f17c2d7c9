import type { IncomingMessage } from 'node:http'

/** As much as Node's server reads at a time: a longer body cannot have come with its head. */
const LIMIT = 64 * 1024

/*
 * A small body comes in one read with its head, and goes on in one write with it: a stream from one socket to the other was about half of
 * what such a request cost. Node's parser runs routes as soon as it has the head, so that what comes behind that in the same read
 * is there one tick later (test/contract/node-http.test.ts).
 */

/** Whether the body may be there by the next tick. One that waits for a 100 has not been sent yet, and one that a hook reads is not ours to hold back. */
export function mayComeAtOnce (raw: IncomingMessage): boolean {
  const { headers } = raw
  const length = headers['content-length']
  return length !== undefined && length !== '0' && raw.httpVersionMajor === 1 && !raw.complete && raw.readableFlowing === null && Number(length) <= LIMIT && headers.expect === undefined
}

/** The body, if all of it is here and nobody has read of it; else null, and it is as it was. */
export function readWhole (raw: IncomingMessage): Buffer | null {
  // Not `complete`, which comes a tick later than the last byte.
  if (raw.readableFlowing !== null || raw.readableLength !== Number(raw.headers['content-length']) || raw.readableEncoding !== null) return null
  const whole = raw.read() as Buffer | null
  // To its end: of a message that is not read on, nobody who watches it learns 'end' and 'close'.
  raw.resume()
  return whole
}
