import type { Socket } from 'node:net'

/**
 * Lets the next text that is written to a socket be another one. undici writes a head, and the end of a chunked body, as text, and
 * what is in between as bytes; so that what it has no words for can be said all the same, on a socket that our connector has made.
 * After one text everything is as before.
 */
export function editNextText (socket: Socket, edit: (text: string) => string): void {
  const write = socket.write
  socket.write = function writeEdited (this: Socket, chunk: string | Uint8Array, ...rest: unknown[]): boolean {
    if (typeof chunk !== 'string') return Reflect.apply(write, this, [chunk, ...rest]) as boolean
    socket.write = write
    return Reflect.apply(write, this, [edit(chunk), ...rest]) as boolean
  } as Socket['write']
}
