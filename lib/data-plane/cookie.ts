/**
 * The raw value of one cookie, or null. Scans the header in place: a parser would build an object of all of them for the one
 * that a canary asks for.
 */
export function readCookie (header: string | undefined, name: string): string | null {
  if (header === undefined) return null
  let position = 0
  while (position < header.length) {
    let end = header.indexOf(';', position)
    if (end === -1) end = header.length
    while (position < end && header.charCodeAt(position) === 0x20) position++
    if (header.startsWith(name, position) && header.charCodeAt(position + name.length) === 0x3d) {
      return header.slice(position + name.length + 1, end).trim()
    }
    position = end + 1
  }
  return null
}
