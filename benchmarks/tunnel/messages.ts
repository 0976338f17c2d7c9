/**
 * One message of `size` bytes as one frame (RFC 6455 5.2). Load and origin send the same frame again and again, and tell messages by
 * counting bytes: what they cost must not be what is measured.
 */
export function frame (size: number, isMasked: boolean): Buffer {
  const length = size < 126 ? [size] : size < 65536 ? [126, size >> 8, size & 255] : [127, 0, 0, 0, 0, 0, (size >> 16) & 255, (size >> 8) & 255, size & 255]
  length[0]! |= isMasked ? 0x80 : 0
  // Not of zeros: those are not taken off, and a client's are random.
  const mask = isMasked ? [0x37, 0xfa, 0x21, 0x3d] : []
  const payload = Buffer.alloc(size, 'x')
  if (isMasked) payload.forEach((byte, index) => { payload[index] = byte ^ mask[index & 3]! })
  return Buffer.concat([Buffer.from([0x82, ...length, ...mask]), payload])
}
