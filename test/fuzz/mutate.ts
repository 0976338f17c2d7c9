import type { Chance } from './chance.ts'

/* Texts are latin1: one character per byte. */

const lines = [
  'Content-Length: 3', 'Content-Length: 0', 'Content-Length: -1', 'Content-Length: +5', 'Content-Length: 5, 5', 'Content-Length: 99999999999999999999', 'Content-Length: 0x5',
  'Transfer-Encoding: chunked', 'Transfer-Encoding: gzip, chunked', 'Transfer-Encoding: chunked, identity', 'Transfer-Encoding:', 'Transfer-Encoding: xchunked', 'Transfer-Encoding\x0b: chunked',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity', 'Host: other.test', 'Host: a, b', 'Host:', 'Host: u@x', 'Connection: content-length, host', 'Connection: close', 'Connection: keep-alive, x-seen',
  ' folded: line', '\tfolded', 'Upgrade: h2c', 'Upgrade: websocket\r\nConnection: Upgrade', 'HTTP2-Settings: AAMAAABkAAQAAP__', 'Content-Encoding: \xff', 'Content-Encoding: gzip', 'Content-Encoding: br', 'Content-Encoding: gzip, gzip',
  'Expect: 100-continue', 'Expect: other', 'TE: trailers, chunked', 'Trailer: Content-Length', 'Range: bytes=0-1', 'Max-Forwards: 0', 'Keep-Alive: timeout=0, max=0', 'Set-Cookie: a=b; Domain=x; Path=/; Secure',
  'Content-Type: text/event-stream', 'Content-Type: application/json', 'Content-Type:', 'Cache-Control: no-transform', 'ETag: "x', 'Location: //x/..', 'Early-Data: 2', 'Via: 1.1 sluice', 'Forwarded: for="[::1', 'Traceparent: 00-0-0-0', 'X-Nul: a\0b', 'X-Cr: a\rb', 'X-High: \xe4\xf6\xfc', '__proto__: x', 'constructor: x', ': x', 'x'
]

const numbers = ['0', '00', '-1', '1e3', '999', '0x10', '4294967296', '18446744073709551616', '+5', '100', '101', '103', '204', '205', '304', '099', '600', '700', '5', '7']

type Mutation = (text: string, chance: Chance) => string

const cut = (text: string, at: number, size: number, middle = ''): string => text.slice(0, at) + middle + text.slice(at + size)

/** At one of the places where the pattern matches. */
function replaceSome (text: string, pattern: RegExp, by: string, chance: Chance): string {
  const found = [...text.matchAll(pattern)]
  if (found.length === 0) return text
  const match = chance.oneOf(found)
  return cut(text, match.index, match[0].length, by)
}

const mutations: readonly Mutation[] = [
  (text, chance) => cut(text, chance.below(text.length), 0, chance.byte()),
  (text, chance) => cut(text, chance.below(text.length), 1, chance.byte()),
  (text, chance) => cut(text, chance.below(text.length), 1 + chance.below(8)),
  (text, chance) => text.slice(0, chance.below(text.length)),
  (text, chance) => replaceSome(text, /\r\n/g, chance.oneOf(['\n', '\r', '\r\n\r\n', '\r\r\n', '\0', ' ', '', '\n\r\n']), chance),
  (text, chance) => replaceSome(text, /\r\n/g, `\r\n${chance.oneOf(lines)}\r\n`, chance),
  (text, chance) => replaceSome(text, /\r\n/g, `\r\n${chance.oneOf(lines)}\r\n`, chance),
  (text, chance) => replaceSome(text, /\r\n/g, `\r\nX-Long: ${'x'.repeat(chance.below(40_000))}\r\n`, chance),
  (text, chance) => replaceSome(text, /\r\n/g, `\r\n${'X-Many: x\r\n'.repeat(chance.below(1500))}`, chance),
  (text, chance) => replaceSome(text, /\d+/g, chance.oneOf(numbers), chance),
  (text, chance) => replaceSome(text, /: ?/g, chance.oneOf([':', ' : ', ':\t', ':: ', '', '\xa0:', ': \x0b']), chance),
  (text, chance) => replaceSome(text, /HTTP\/1\.1/g, chance.oneOf(['HTTP/1.0', 'HTTP/0.9', 'HTTP/2.0', 'HTTP/1.10', 'http/1.1', 'HTTP/1.1 ', 'HTP/1.1', '']), chance),
  (text, chance) => replaceSome(text, /^[A-Za-z-]{1,40}:/gm, chance.oneOf(lines).split(':')[0] + ':', chance),
  (text, chance) => text + chance.oneOf([text, text.slice(chance.below(text.length)), '\r\n', 'GET /x HTTP/1.1\r\n']),
  (text, chance) => text + Array.from({ length: chance.below(40) }, () => chance.byte()).join(''),
  (text, chance) => { const from = chance.below(text.length); return cut(text, chance.below(text.length), 0, text.slice(from, from + chance.below(60))) },
  (text, chance) => replaceSome(text, /[/?]/g, chance.oneOf(['//', '/..', '/%2e%2e/', '\\', '%', '%zz', '?', '#', ' ', ';', '/*', 'http://x/']), chance)
]

/** One to four of these; none now and then, since what is sound is to come through beside it. */
export function mutated (text: string, chance: Chance): string {
  if (chance.percent(5)) return text
  for (let n = chance.below(4); n >= 0; n--) text = text === '' ? chance.byte() : chance.oneOf(mutations)(text, chance)
  return text
}

/** The pieces that it is written in: mostly one. */
export function inPieces (text: string, chance: Chance): Buffer[] {
  const bytes = Buffer.from(text, 'latin1')
  const pieces: Buffer[] = []
  const count = chance.percent(70) ? 1 : 1 + chance.below(4)
  let from = 0
  for (let n = 1; n < count; n++) {
    const to = from + chance.below(bytes.length - from + 1)
    pieces.push(bytes.subarray(from, to))
    from = to
  }
  pieces.push(bytes.subarray(from))
  return pieces.filter((piece) => piece.length > 0)
}
