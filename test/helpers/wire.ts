import type { Socket } from 'node:net'
import { Bell, patience } from './until.ts'

export interface Fields {
  /** Names in lower case; a name that came several times is joined with ', ' as RFC 9110 §5.3 reads it. */
  headers: Headers
  /** Name, value, name, value … as they came. */
  rawHeaders: string[]
}

export type Headers = { [name: string]: string | undefined } & { 'set-cookie'?: string[] }

/** Every value that came under a name, in order. */
export function values (rawHeaders: readonly string[], name: string): string[] {
  const found: string[] = []
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    if (rawHeaders[i]!.toLowerCase() === name.toLowerCase()) found.push(rawHeaders[i + 1]!)
  }
  return found
}

/** Everything that came out of a socket, and how it ended. */
export class Wire {
  readonly socket: Socket
  readonly bell: Bell = new Bell()
  /** No byte will follow. */
  over = false
  /** The other side said FIN: what ended was meant to end. */
  clean = false
  /** The socket is gone, both directions. */
  closed = false
  error: Error | undefined
  #buffer = Buffer.allocUnsafe(4096)
  #length = 0

  constructor (socket: Socket, keep: boolean = true) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      if (keep) this.#append(chunk)
      this.bell.ring()
    })
    socket.on('end', () => {
      this.over = true
      // libuv tells an RST that comes together with data as an end (uv__stream_io, the POLLHUP shortcut). The kernel knows better:
      // after an RST the socket has no peer any more. Nor has it one after FINs in both directions, hence the look at ours.
      this.clean = socket.writableEnded || socket.remoteAddress !== undefined
      this.bell.ring()
    })
    socket.on('error', (error) => { this.error = error })
    socket.on('close', () => {
      this.over = this.closed = true
      this.bell.ring()
    })
  }

  get received (): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }

  // Doubles, because a concat per chunk makes 100 MB quadratic.
  #append (chunk: Buffer): void {
    const length = this.#length + chunk.length
    if (length > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(length, this.#buffer.length * 2))
      this.#buffer.copy(larger, 0, 0, this.#length)
      this.#buffer = larger
    }
    chunk.copy(this.#buffer, this.#length)
    this.#length = length
  }

  describe (): string {
    const text = this.received.toString('latin1')
    const shown = text.length > 400 ? `…${text.slice(-400)}` : text
    const state = this.error ? `failed with ${this.error.message}` : this.over ? 'ended' : 'still open'
    return `${JSON.stringify(shown)} (${text.length} bytes, ${state})`
  }
}

type Framing = { kind: 'length', length: number } | { kind: 'chunked' } | { kind: 'close' } | { kind: 'none' }

/** Reads HTTP/1.1 messages off a wire in the order they came, each byte once. */
export class Reader {
  readonly wire: Wire
  /** ms for each wait of a read; 0 waits for ever. */
  timeout: number = patience
  #at = 0
  #unreadBody: Framing = { kind: 'none' }

  constructor (wire: Wire) {
    this.wire = wire
  }

  /** The next line without its CRLF, or null when the wire ended before it was whole. */
  async line (): Promise<string | null> {
    const { wire } = this
    const end = await wire.bell.until(() => `a line, got ${wire.describe()}`, () => {
      const found = wire.received.indexOf('\r\n', this.#at, 'latin1')
      return found >= 0 ? { at: found } : wire.over && { at: -1 }
    }, this.timeout)
    if (end.at < 0) return null
    const line = wire.received.toString('latin1', this.#at, end.at)
    this.#at = end.at + 2
    return line
  }

  /** The next `length` bytes, fewer when the wire ended before. */
  async take (length: number): Promise<Buffer> {
    const { wire } = this
    const to = this.#at + length
    await wire.bell.until(() => `${length} bytes, got ${wire.describe()}`, () => wire.over || wire.received.length >= to, this.timeout)
    const bytes = Buffer.from(wire.received.subarray(this.#at, to))
    this.#at += bytes.length
    return bytes
  }

  /** Everything until the wire ends. */
  async rest (): Promise<Buffer> {
    const { wire } = this
    await wire.bell.until(() => `the end of the connection, got ${wire.describe()}`, () => wire.over, this.timeout)
    return this.take(wire.received.length - this.#at)
  }

  /** Header or trailer lines up to the empty one; null when the wire ended before it. */
  async fields (): Promise<Fields | null> {
    const rawHeaders: string[] = []
    for (;;) {
      const line = await this.line()
      if (line === null) return null
      if (line === '') return { headers: lower(rawHeaders), rawHeaders }
      const colon = line.indexOf(':')
      if (colon < 1) throw new Error(`not a header line: ${JSON.stringify(line)}`)
      rawHeaders.push(line.slice(0, colon), line.slice(colon + 1).trim())
    }
  }

  async body (framing: Framing): Promise<{ body: Buffer, complete: boolean, trailers: Fields }> {
    const trailers: Fields = { headers: {}, rawHeaders: [] }
    switch (framing.kind) {
      case 'none':
        return { body: Buffer.alloc(0), complete: true, trailers }
      case 'close': {
        const body = await this.rest()
        return { body, complete: this.wire.clean, trailers }
      }
      case 'length': {
        const body = await this.take(framing.length)
        return { body, complete: body.length === framing.length, trailers }
      }
      case 'chunked': {
        const chunks: Buffer[] = []
        const cut = () => ({ body: Buffer.concat(chunks), complete: false, trailers })
        for (;;) {
          const line = await this.line()
          if (line === null) return cut()
          const size = /^([0-9a-f]+)[ \t]*(?:;.*)?$/i.exec(line)
          if (size === null) throw new Error(`not a chunk size: ${JSON.stringify(line)}`)
          const length = parseInt(size[1]!, 16)
          if (length === 0) {
            const fields = await this.fields()
            return fields === null ? cut() : { body: Buffer.concat(chunks), complete: true, trailers: fields }
          }
          const chunk = await this.take(length)
          chunks.push(chunk)
          if (chunk.length < length) return cut()
          const end = await this.take(2)
          if (end.length < 2) return cut()
          if (end.toString('latin1') !== '\r\n') throw new Error(`a chunk of ${length} bytes does not end with CRLF`)
        }
      }
    }
  }

  /** The next request head as it came, with its empty line; what the previous one had as a body is passed over. Null at the end. */
  async requestHead (): Promise<string | null> {
    const { complete } = await this.body(this.#unreadBody)
    this.#unreadBody = { kind: 'none' }
    const start = this.#at
    if (!complete || await this.line() === null) return null
    const fields = await this.fields()
    if (fields === null) return null
    this.#unreadBody = framing(fields.headers, { kind: 'none' })
    return this.wire.received.toString('latin1', start, this.#at)
  }
}

/** How the body of a message with these headers ends. Transfer-Encoding wins over Content-Length (RFC 9112 §6.3). */
export function framing (headers: Headers, otherwise: Framing): Framing {
  if (/(?:^|,)\s*chunked\s*$/i.test(headers['transfer-encoding'] ?? '')) return { kind: 'chunked' }
  const length = headers['content-length']
  if (length === undefined) return otherwise
  if (!/^\d+$/.test(length)) throw new Error(`not a content-length: ${JSON.stringify(length)}`)
  return { kind: 'length', length: Number(length) }
}

function lower (rawHeaders: readonly string[]): Headers {
  const headers: Headers = {}
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase()
    const value = rawHeaders[i + 1]!
    if (name === 'set-cookie') {
      (headers['set-cookie'] ??= []).push(value)
    } else {
      headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`
    }
  }
  return headers
}
