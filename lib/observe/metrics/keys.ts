/*
 * Several indices in one small integer (V8 keeps those below 2^31 out of the heap), and back. A status that is none is 0.
 */

export function requestKey (method: number, error: number, code: number): number {
  return (method << 16) | (error << 10) | (code >= 100 && code < 1000 ? code : 0)
}

export function readRequestKey (key: number): [method: number, error: number, code: number] {
  return [key >> 16, (key >> 10) & 0x3f, key & 0x3ff]
}

/** Of two indices: class and error of an attempt, reason and result of a retry. */
export function pairKey (first: number, second: number): number {
  return (first << 10) | second
}

export function readPairKey (key: number): [first: number, second: number] {
  return [key >> 10, key & 0x3ff]
}
