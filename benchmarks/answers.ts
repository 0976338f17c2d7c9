import { replacement } from './replacement.ts'

// The one right answer of each path; the origins give them, check.ts and wrk.ts hold every contender to them.

export const small: Buffer = Buffer.from(JSON.stringify({
  id: 7301,
  name: 'an everyday reply',
  tags: ['one', 'two', 'three'],
  price: 12.5,
  stock: true,
  note: 'it has 119 bytes'
}))

/** Never the same 16 bytes twice in a row, so that a chunk lost, doubled or swapped shows. */
function pattern (bytes: number): Buffer {
  const body = Buffer.alloc(bytes)
  for (let at = 0; at < bytes; at += 16) body.write(`${at.toString(16).padStart(15, '.')}\n`, at, 'latin1')
  return body
}

export const medium: Buffer = pattern(64 * 1024)
export const large: Buffer = pattern(10 * 1024 * 1024)

/** The origin answers an upload with the number of bytes it has read. */
export function countOf (bytes: number): Buffer {
  return Buffer.from(String(bytes))
}

/** What the delayed path waits. Node's timers know whole milliseconds; measured at the socket it comes to about 11.5. */
export const delay = 11

export const rewritten: Buffer = Buffer.from(medium.toString('latin1').replaceAll(...replacement), 'latin1')
