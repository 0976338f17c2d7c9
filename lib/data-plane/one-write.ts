import { ServerResponse } from 'node:http'

/** Bytes up to which copying a body is cheaper than what it saves. */
const LIMIT = 8192

const { write, end } = ServerResponse.prototype

/** Whether what is written to a response goes to its socket and nowhere else: what records responses does so in the place of these. */
export function isPlain (raw: ServerResponse): boolean {
  return raw.write === write && raw.end === end
}

/**
 * Lets a small whole body leave with its head in one system call. `end(buffer)` gives the socket three things to gather (head,
 * body and an empty chunk that tells when they are out); a latin1 string becomes part of the head, byte for byte, and nothing
 * is left to gather.
 */
export function writeAtOnce (response: ServerResponse, body: Buffer): void {
  if (body.length <= LIMIT && isPlain(response)) response.end = endAtOnce as ServerResponse['end']
}

/** `end`, in one system call where it can be. */
export function endAtOnce (this: ServerResponse, chunk?: unknown, encoding?: BufferEncoding, callback?: () => void): ServerResponse {
  const { socket } = this
  // Another payload than ours (an onSend hook's string), no turn on the connection yet, or bytes before it that must not be overtaken.
  if (!Buffer.isBuffer(chunk) || chunk.length > LIMIT || socket === null || socket.writableLength > 0) return end.call(this, chunk, encoding!, callback)
  socket.cork()
  this.write(chunk.toString('latin1'), 'latin1')
  socket.uncork()
  return end.call(this, undefined, encoding!, callback)
}
