/** A power of two, some times the number of names in common use. */
const SLOTS = 512

interface Known {
  readonly bytes: Uint8Array
  readonly name: string
}

/**
 * Lower-cased names of header fields by their bytes. Upstreams send the same few names over and over; comparing a dozen bytes is
 * cheaper than making a string of them. One slot per hash: a stranger's names can push others out, and nothing grows.
 */
const slots: (Known | undefined)[] = new Array(SLOTS).fill(undefined)

export function fieldName (bytes: Uint8Array): string {
  const { length } = bytes
  const slot = (length * 31 + bytes[0]! * 7 + bytes[length - 1]! + bytes[length >> 1]! * 3) & (SLOTS - 1)
  const known = slots[slot]
  if (known !== undefined && isEqual(known.bytes, bytes)) return known.name
  const name = Buffer.from(bytes).toString('latin1').toLowerCase()
  // A copy: the original is a view of a whole read of a socket.
  slots[slot] = { bytes: Uint8Array.from(bytes), name }
  return name
}

function isEqual (a: Uint8Array, b: Uint8Array): boolean {
  const { length } = a
  if (length !== b.length) return false
  for (let index = 0; index < length; index++) {
    if (a[index] !== b[index]) return false
  }
  return true
}
